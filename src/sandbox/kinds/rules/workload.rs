//! Deployment, `ReplicaSet`, `StatefulSet` and `DaemonSet`.

use serde_json::Value;

use super::{claim, pod, selectors};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_label, percent, same};
use crate::sandbox::resource::{Draw, Endpoint};

/// Checks a Deployment.
pub(super) fn validate_deployment(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    causes.non_negative(&at.child("replicas"), spec.int("replicas"));
    required_selector(causes, spec, "deployment", &at);
    template_of_replicas(causes, spec, &at);
    let (strategy, at_strategy) = (&spec["strategy"], at.child("strategy"));
    match strategy.text("type") {
        "Recreate" => {
            if strategy.some("rollingUpdate").is_some() {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                causes.forbidden(&at_strategy.child("rollingUpdate"), detail);
            }
        }
        "RollingUpdate" => {
            let (rolling, at) = (&strategy["rollingUpdate"], at_strategy.child("rollingUpdate"));
            let (unavailable, at_unavailable) = (&rolling["maxUnavailable"], at.child("maxUnavailable"));
            count_or_percent(causes, unavailable, &at_unavailable);
            count_or_percent(causes, &rolling["maxSurge"], &at.child("maxSurge"));
            if number(unavailable) == 0 && number(&rolling["maxSurge"]) == 0 {
                causes.invalid(&at_unavailable, unavailable.clone(), "may not be 0 when `maxSurge` is 0");
            }
            at_most_all(causes, unavailable, &at_unavailable);
        }
        _ => {
            let shown = internal_strategy(strategy);
            causes.not_supported_text(&at_strategy, &shown, &["Recreate", "RollingUpdate"]);
        }
    }
    let ready = spec.int("minReadySeconds");
    causes.non_negative(&at.child("minReadySeconds"), ready);
    causes.non_negative(&at.child("revisionHistoryLimit"), spec.int("revisionHistoryLimit"));
    if let Some(seconds) = spec.int("progressDeadlineSeconds") {
        let at = at.child("progressDeadlineSeconds");
        causes.non_negative(&at, Some(seconds));
        if seconds <= ready.unwrap_or_default() {
            causes.invalid(&at, seconds, "must be greater than minReadySeconds");
        }
    }
    same_selector(causes, spec, old, &at);
}

/// A strategy as the server's own type prints it in messages.
fn internal_strategy(strategy: &Value) -> String {
    let rolling = strategy.some("rollingUpdate").map_or_else(
        || "null".to_owned(),
        |rolling| {
            let (surge, unavailable) = (&rolling["maxSurge"], &rolling["maxUnavailable"]);
            format!("{{\"MaxUnavailable\":{unavailable},\"MaxSurge\":{surge}}}")
        },
    );
    format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", strategy["type"])
}

/// Checks a `ReplicaSet`.
pub(super) fn validate_replica_set(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    causes.non_negative(&at.child("replicas"), spec.int("replicas"));
    causes.non_negative(&at.child("minReadySeconds"), spec.int("minReadySeconds"));
    required_selector(causes, spec, "deployment", &at);
    template_of_replicas(causes, spec, &at);
    same_selector(causes, spec, old, &at);
}

fn required_selector(causes: &mut Causes, spec: &Value, what: &str, at: &At) {
    let at = at.child("selector");
    let Some(selector) = spec.some("selector") else { return causes.required(&at, "") };
    selectors::check(causes, selector, &at);
    if selectors::is_empty(selector) {
        causes.invalid(&at, selector.clone(), &format!("empty selector is invalid for {what}"));
    }
}

fn same_selector(causes: &mut Causes, spec: &Value, old: Option<&Value>, at: &At) {
    if let Some(old) = old {
        causes.immutable(&at.child("selector"), &spec["selector"], &old["spec"]["selector"]);
    }
}

/// Checks that the selector selects the template; whether it can be read.
fn matching(causes: &mut Causes, spec: &Value, wrong: &str, at: &At) -> bool {
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    // No selector selects nothing; an empty one is another rule's.
    let selects = if selector.is_null() { Some(false) } else { selectors::selects(selector, labels) };
    match selects {
        None => {
            causes.invalid(&at.child("selector"), selector.clone(), wrong);
            return false;
        }
        Some(false) if selector.is_null() || !selectors::is_empty(selector) => {
            let at = at.child("template.metadata.labels");
            causes.invalid(&at, labels.clone(), "`selector` does not match template `labels`");
        }
        Some(_) => {}
    }
    true
}

fn template_of_replicas(causes: &mut Causes, spec: &Value, at: &At) {
    if matching(causes, spec, "invalid label selector", at) {
        pod::check_template(causes, &spec["template"], &at.child("template"));
        always(causes, spec, "ReplicaSet", at);
    }
}

/// Pods of a workload run for ever.
fn always(causes: &mut Causes, spec: &Value, what: &str, at: &At) {
    let (pod, at) = (&spec["template"]["spec"], at.child("template.spec"));
    let policy = pod.text("restartPolicy");
    if policy != "Always" {
        causes.not_supported(&at.child("restartPolicy"), policy, &["Always"]);
    }
    if pod.some("activeDeadlineSeconds").is_some() {
        let detail = format!("activeDeadlineSeconds in {what} is not Supported");
        causes.forbidden(&at.child("activeDeadlineSeconds"), &detail);
    }
}

fn count_or_percent(causes: &mut Causes, value: &Value, at: &At) {
    match value.as_str() {
        Some(text) => causes.each_invalid(at, text, &percent(text)),
        None => causes.non_negative(at, value.as_i64()),
    }
}

/// The number of a count or percentage.
fn number(value: &Value) -> i64 {
    match value.as_str() {
        Some(text) => text.strip_suffix('%').and_then(|digits| digits.parse().ok()).unwrap_or_default(),
        None => value.as_i64().unwrap_or_default(),
    }
}

fn at_most_all(causes: &mut Causes, value: &Value, at: &At) {
    if value.as_str().is_some_and(|text| percent(text).is_empty()) && number(value) > 100 {
        causes.invalid(at, value.clone(), "must not be greater than 100%");
    }
}

/// Checks a count or percentage of at most all.
pub(super) fn share(causes: &mut Causes, value: &Value, at: &At) {
    count_or_percent(causes, value, at);
    at_most_all(causes, value, at);
}

/// Checks a `StatefulSet`.
pub(super) fn validate_stateful_set(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let management = spec.text("podManagementPolicy");
    if !matches!(management, "OrderedReady" | "Parallel") {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        causes.invalid(&at.child("podManagementPolicy"), management, detail);
    }
    stateful_strategy(causes, &spec["updateStrategy"], &at.child("updateStrategy"));
    let retention = &spec["persistentVolumeClaimRetentionPolicy"];
    for field in ["whenDeleted", "whenScaled"] {
        let policy = retention.text(field);
        if !matches!(policy, "Retain" | "Delete") {
            let at = at.child("persistentVolumeClaimRetentionPolicy").child(field);
            causes.not_supported(&at, policy, &["Retain", "Delete"]);
        }
    }
    if old.is_none() {
        for (index, template) in spec.items("volumeClaimTemplates").iter().enumerate() {
            let at = at.child("volumeClaimTemplates").index(index).child("spec");
            claim::check_spec(causes, &template["spec"], &at);
        }
    }
    causes.non_negative(&at.child("replicas"), spec.int("replicas"));
    causes.non_negative(&at.child("minReadySeconds"), spec.int("minReadySeconds"));
    causes.non_negative(&at.child("ordinals.start"), spec["ordinals"].int("start"));
    let service = spec.text("serviceName");
    if old.is_none() && !service.is_empty() {
        causes.each_invalid(&at.child("serviceName"), service, &dns_label(service));
    }
    required_selector(causes, spec, "statefulset", &at);
    if matching(causes, spec, "", &at) {
        pod::check_template(causes, &with_claims(spec), &at.child("template"));
    }
    always(causes, spec, "StatefulSet", &at);
    if let Some(old) = old {
        for field in ["selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"] {
            let mut shown = spec[field].clone();
            if field == "serviceName" && shown.is_null() {
                shown = "".into();
            }
            if !same(&spec[field], &old["spec"][field]) {
                causes.invalid(&at.child(field), shown, "field is immutable");
            }
        }
    }
}

/// The template with a volume for each claim, as its pods will have it.
fn with_claims(spec: &Value) -> Value {
    let mut template = spec["template"].clone();
    let claims = spec.items("volumeClaimTemplates");
    if claims.is_empty() {
        return template;
    }
    let name = |claim: &Value| claim["metadata"].text("name").to_owned();
    let mut volumes: Vec<Value> = claims
        .iter()
        .map(|claim| {
            let name = name(claim);
            serde_json::json!({ "name": name, "persistentVolumeClaim": { "claimName": name } })
        })
        .collect();
    let is_own = |volume: &&Value| claims.iter().all(|claim| name(claim) != volume.text("name"));
    volumes.extend(template["spec"].items("volumes").iter().filter(is_own).cloned());
    template["spec"]["volumes"] = volumes.into();
    template
}

fn stateful_strategy(causes: &mut Causes, strategy: &Value, at: &At) {
    let at_rolling = at.child("rollingUpdate");
    match (strategy.text("type"), strategy.some("rollingUpdate")) {
        ("OnDelete", Some(rolling)) => {
            let unavailable = &rolling["maxUnavailable"];
            let partition = rolling.int("partition").unwrap_or_default();
            let shown = format!("{{\"Partition\":{partition},\"MaxUnavailable\":{unavailable}}}");
            causes.invalid_text(&at_rolling, &shown, "only allowed for updateStrategy 'RollingUpdate'");
        }
        ("RollingUpdate", Some(rolling)) => {
            causes.non_negative(&at_rolling.child("partition"), rolling.int("partition"));
            if let Some(unavailable) = rolling.some("maxUnavailable") {
                let at = at_rolling.child("maxUnavailable");
                count_or_percent(causes, unavailable, &at);
                if number(unavailable) == 0 {
                    causes.invalid(&at, unavailable.clone(), "cannot be 0");
                }
                at_most_all(causes, unavailable, &at);
            }
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            let partition = &strategy["rollingUpdate"];
            let rolling = if partition.is_null() {
                "null".to_owned()
            } else {
                let number = partition.int("partition").unwrap_or_default();
                format!("{{\"Partition\":{number},\"MaxUnavailable\":{}}}", partition["maxUnavailable"])
            };
            let shown = format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", strategy["type"]);
            causes.invalid_text(at, &shown, detail);
        }
    }
}

/// The generation of a `DaemonSet`'s template, as an annotation says it.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// A new `DaemonSet`'s template is its first.
pub(super) fn prepare_daemon_set(object: &mut Value, _: &dyn Draw) {
    let known = object["metadata"]["annotations"].text(TEMPLATE_GENERATION).parse::<i64>();
    set_generation(object, known.unwrap_or_default().max(1));
}

/// Counts changes of the template.
pub(super) fn prepare_daemon_set_update(object: &mut Value, old: &Value, endpoint: Endpoint, _: &dyn Draw) {
    let known = old["metadata"]["annotations"].text(TEMPLATE_GENERATION).parse::<i64>().unwrap_or_default();
    let is_changed =
        endpoint != Endpoint::Status && !same(&object["spec"]["template"], &old["spec"]["template"]);
    set_generation(object, if is_changed { known + 1 } else { known });
}

fn set_generation(object: &mut Value, generation: i64) {
    let meta = &mut object["metadata"];
    crate::sandbox::kinds::look::map_mut(meta, "annotations")
        .insert(TEMPLATE_GENERATION.into(), generation.to_string().into());
}

/// Checks a `DaemonSet`.
pub(super) fn validate_daemon_set(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    same_selector(causes, spec, old, &at);
    let selector = &spec["selector"];
    selectors::check(causes, selector, &at.child("selector"));
    let labels = &spec["template"]["metadata"]["labels"];
    if selectors::selects(selector, labels) == Some(false) {
        let at = at.child("template.metadata.labels");
        causes.invalid(&at, labels.clone(), "`selector` does not match template `labels`");
    }
    if !selector.is_null() && selectors::is_empty(selector) {
        let detail = "empty selector is invalid for daemonset";
        causes.invalid(&at.child("selector"), selector.clone(), detail);
    }
    pod::check_template(causes, &spec["template"], &at.child("template"));
    always(causes, spec, "DaemonSet", &at);
    causes.non_negative(&at.child("minReadySeconds"), spec.int("minReadySeconds"));
    let (strategy, at_strategy) = (&spec["updateStrategy"], at.child("updateStrategy"));
    match strategy.text("type") {
        "OnDelete" => {}
        "RollingUpdate" => {
            let (rolling, at) = (&strategy["rollingUpdate"], at_strategy.child("rollingUpdate"));
            let (unavailable, surge) = (&rolling["maxUnavailable"], &rolling["maxSurge"]);
            count_or_percent(causes, unavailable, &at.child("maxUnavailable"));
            count_or_percent(causes, surge, &at.child("maxSurge"));
            at_most_all(causes, unavailable, &at.child("maxUnavailable"));
            at_most_all(causes, surge, &at.child("maxSurge"));
            match (number(unavailable) != 0, number(surge) != 0) {
                (true, true) => {
                    let detail = "may not be set when maxUnavailable is non-zero";
                    causes.invalid(&at.child("maxSurge"), surge.clone(), detail);
                }
                (false, false) => {
                    causes.required(&at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
                }
                _ => {}
            }
        }
        _ => {
            let shown = internal_strategy(strategy);
            causes.not_supported_text(&at_strategy, &shown, &["RollingUpdate", "OnDelete"]);
        }
    }
    causes.non_negative(&at.child("revisionHistoryLimit"), spec.int("revisionHistoryLimit"));
}

/// Checks the numbers of a workload's status.
pub(super) fn validate_status(causes: &mut Causes, object: &Value, _: &Value) {
    const WHY: &str = "cannot be greater than status.replicas";
    let (status, at) = (&object["status"], At::new("status"));
    let count = |field: &str| status.int(field).unwrap_or_default();
    for field in [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ] {
        causes.non_negative(&at.child(field), status.int(field));
    }
    for field in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        if count(field) > count("replicas") {
            causes.invalid(&at.child(field), count(field), WHY);
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let at = at.child("availableReplicas");
        causes.invalid(&at, count("availableReplicas"), "cannot be greater than readyReplicas");
    }
}

/// Warnings about the template of a workload, where its spec is new.
pub(super) fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    if old.is_some_and(|old| old["metadata"]["generation"] == object["metadata"]["generation"]) {
        return Vec::new();
    }
    pod::template_warnings(&object["spec"]["template"], &At::new("spec.template"))
}

/// The same of a kind whose name becomes part of host names.
pub(super) fn named_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let mut all = name_warnings(object, old);
    all.extend(warnings(object, old));
    all
}

/// Warnings about a new name that becomes part of host names.
pub(super) fn name_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let wrong = dns_label(object["metadata"].text("name"));
    if old.is_some() || wrong.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label \
         is recommended: [{}]",
        wrong.join(" ")
    )]
}
