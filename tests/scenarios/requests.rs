//! Rows about requests and connections.

use serde_json::json;

use crate::project::Project;
use crate::runs::shows;
use crate::stage;

const STACK: &str = r#"
[stack]
name = "app"

[namespace.home]

[config_map.settings]
namespace = "home"
data.colour = "blue"
"#;

#[test]
fn row_13_too_many_requests_are_waited_for() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    stage::script(
        &plane,
        &json!([{ "method": "PATCH", "path": "*/configmaps/settings", "times": 2,
                  "fault": { "answer": { "code": 429, "retryAfter": 1 } } }]),
    );
    let applied = project.apply(&[]).expect_status(0);
    shows(&applied, &["Applied 2 of 2"]);
    assert_eq!(stage::struck(&plane), [2]);
    project.settled(&[]);
}
