//! Running the real `helm`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::files::package;

/// `helm` on one chart of the catalog.
pub(crate) struct Helm(PathBuf);

impl Helm {
    /// `None`: not to be had on this machine, which was said on the terminal.
    pub(crate) fn find() -> Option<Self> {
        support::program("helm").map(Self)
    }

    /// Standard output, or what `helm` complained about.
    pub(crate) fn run(&self, args: &[&str], chart: &str, values: &Value) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder for the values");
        let file = folder.path().join("values.json");
        std::fs::write(&file, values.to_string()).expect("values can be written");
        let output = Command::new(&self.0)
            .args(args)
            .arg(package(chart))
            .arg("--values")
            .arg(&file)
            // Nothing of the user's own: no plugins, no repositories, no cluster.
            .env_clear()
            .env("HOME", folder.path())
            .output()
            .expect("helm can be run");
        let text = |bytes| String::from_utf8(bytes).expect("helm writes UTF-8");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The rendered manifests of a release named `arr-stack`, as text.
    pub(crate) fn template(&self, chart: &str, values: &Value) -> Result<String, String> {
        self.run(&["template", "arr-stack", "--namespace", "tenant-media"], chart, values)
    }

    /// The rendered objects.
    pub(crate) fn objects(&self, chart: &str, values: &Value) -> Vec<Value> {
        let text = self.template(chart, values).unwrap_or_else(|error| panic!("{values}: {error}"));
        serde_saphyr::from_multiple(&text).expect("helm renders YAML")
    }
}
