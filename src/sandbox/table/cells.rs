//! Cells of built-in kinds.

use jiff::Timestamp;
use serde_json::Value;

use super::text::{
    amount, containers, has_condition, labels, list, number, or, selector, selector_or_none, text,
};
use super::{age, amounts, cluster, network, pod, volumes};
use crate::sandbox::resource::Resource;

/// Whether the kind has no printer of its own.
pub(super) fn is_plain(resource: &Resource) -> bool {
    matches!((resource.group.as_str(), resource.plural.as_str()), ("", "limitranges"))
}

/// The cells of an object.
pub(super) fn of(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let (name, age) = (object["metadata"]["name"].clone(), age::of(object, now));
    let count = |value: &Value, key: &str| Value::from(number(value, key));
    let word = |value: &Value, key: &str| Value::from(text(value, key));
    let template = &spec["template"]["spec"];
    let [names, images] = containers(template);
    match resource.plural.as_str() {
        "pods" => pod::cells(object, now),
        "replicasets" => vec![
            name,
            count(spec, "replicas"),
            count(status, "replicas"),
            count(status, "readyReplicas"),
            age,
            names,
            images,
            selector_or_none(&spec["selector"]).into(),
        ],
        "deployments" => vec![
            name,
            format!("{}/{}", number(status, "readyReplicas"), number(spec, "replicas")).into(),
            count(status, "updatedReplicas"),
            count(status, "availableReplicas"),
            age,
            names,
            images,
            selector(&spec["selector"]).into(),
        ],
        "statefulsets" => {
            let ready = format!("{}/{}", number(status, "readyReplicas"), number(spec, "replicas"));
            vec![name, ready.into(), age, names, images]
        }
        "daemonsets" => vec![
            name,
            count(status, "desiredNumberScheduled"),
            count(status, "currentNumberScheduled"),
            count(status, "numberReady"),
            count(status, "updatedNumberScheduled"),
            count(status, "numberAvailable"),
            labels(&template["nodeSelector"]).into(),
            age,
            names,
            images,
            selector_or_none(&spec["selector"]).into(),
        ],
        "jobs" => job(object, now),
        "cronjobs" => cron_job(object, now),
        "services" => vec![
            name,
            word(spec, "type"),
            list(spec, "clusterIPs").first().cloned().unwrap_or_else(|| "<none>".into()),
            network::external_address(object).into(),
            network::ports(object).into(),
            age,
            labels(&spec["selector"]).into(),
        ],
        "ingresses" => vec![
            name,
            or(spec, "ingressClassName", "<none>").into(),
            network::hosts(object).into(),
            network::balancer(object).into(),
            (if list(spec, "tls").is_empty() { "80" } else { "80, 443" }).into(),
            age,
        ],
        "endpoints" => vec![name, network::endpoints(object).into(), age],
        "endpointslices" => vec![
            name,
            word(object, "addressType"),
            network::slice_ports(object).into(),
            network::slice_addresses(object).into(),
            age,
        ],
        "nodes" => cluster::node(object, now),
        "events" => cluster::event(object, now),
        "namespaces" => vec![name, word(status, "phase"), age],
        "secrets" => vec![name, word(object, "type"), entries(&object["data"]).into(), age],
        "configmaps" => {
            vec![name, (entries(&object["data"]) + entries(&object["binaryData"])).into(), age]
        }
        "persistentvolumes" => volumes::volume(object, now),
        "persistentvolumeclaims" => volumes::claim(object, now),
        "horizontalpodautoscalers" => vec![
            name,
            format!("{}/{}", text(&spec["scaleTargetRef"], "kind"), text(&spec["scaleTargetRef"], "name"))
                .into(),
            amounts::metrics(object).into(),
            amount(&spec["minReplicas"], "<unset>").into(),
            count(spec, "maxReplicas"),
            count(status, "currentReplicas"),
            age,
        ],
        "poddisruptionbudgets" => vec![
            name,
            amount(&spec["minAvailable"], "N/A").into(),
            amount(&spec["maxUnavailable"], "N/A").into(),
            count(status, "disruptionsAllowed"),
            age,
        ],
        _ => of_classes(resource, object, now),
    }
}

/// Cells of kinds that configure others.
fn of_classes(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let (name, age) = (object["metadata"]["name"].clone(), age::of(object, now));
    let word = |value: &Value, key: &str| Value::from(text(value, key));
    match resource.plural.as_str() {
        "serviceaccounts" => vec![name, age],
        "networkpolicies" => vec![name, selector_or_none(&spec["podSelector"]).into(), age],
        "rolebindings" | "clusterrolebindings" => {
            let reference = &object["roleRef"];
            let [users, groups, accounts] = subjects(object);
            let role = format!("{}/{}", text(reference, "kind"), text(reference, "name"));
            vec![name, role.into(), age, users, groups, accounts]
        }
        "leases" => vec![name, word(spec, "holderIdentity"), age],
        "ingressclasses" => {
            let parameters = &spec["parameters"];
            let shown = match parameters["apiGroup"].as_str() {
                _ if parameters.is_null() => "<none>".to_owned(),
                Some(group) => format!("{}.{group}/{}", text(parameters, "kind"), text(parameters, "name")),
                None => format!("{}/{}", text(parameters, "kind"), text(parameters, "name")),
            };
            let mark = &object["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"];
            let mark = if mark == "true" { " (default)" } else { "" };
            let name = format!("{}{mark}", text(&object["metadata"], "name"));
            vec![name.into(), word(spec, "controller"), shown.into(), age]
        }
        "storageclasses" => {
            let expands = object["allowVolumeExpansion"] == true;
            vec![
                name,
                word(object, "provisioner"),
                or(object, "reclaimPolicy", "Delete").into(),
                or(object, "volumeBindingMode", "Immediate").into(),
                expands.into(),
                age,
            ]
        }
        "volumeattributesclasses" => vec![name, word(object, "driverName"), age],
        "priorityclasses" => vec![
            name,
            number(object, "value").into(),
            (object["globalDefault"] == true).into(),
            age,
            word(object, "preemptionPolicy"),
        ],
        "resourcequotas" => {
            let [requests, limits] = amounts::quota(object);
            vec![name, requests, limits, age]
        }
        "apiservices" => {
            let service = &spec["service"];
            let host = if service.is_object() {
                format!("{}/{}", text(service, "namespace"), text(service, "name"))
            } else {
                "Local".to_owned()
            };
            let available = list(&object["status"], "conditions")
                .iter()
                .find(|condition| condition["type"] == "Available")
                .map_or_else(
                    || "Unknown".to_owned(),
                    |condition| match text(condition, "status") {
                        "True" => "True".to_owned(),
                        status => format!("{status} ({})", text(condition, "reason")),
                    },
                );
            vec![name, host.into(), available.into(), age]
        }
        "customresourcedefinitions" => definition(object),
        _ => vec![name, object["metadata"]["creationTimestamp"].clone()],
    }
}

fn entries(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}

fn job(job: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&job["spec"], &job["status"]);
    let succeeded = number(status, "succeeded");
    let completions = match (spec["completions"].as_i64(), number(spec, "parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallel @ 2..) => format!("{succeeded}/1 of {parallel}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let time = |key: &str| status[key].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let duration = time("startTime").map_or_else(String::new, |start| {
        age::human(time("completionTime").unwrap_or(now).as_second() - start.as_second())
    });
    let state = [("Complete", "Complete"), ("Failed", "Failed")]
        .into_iter()
        .find(|(condition, _)| has_condition(job, condition))
        .map(|(_, state)| state)
        .or_else(|| (!job["metadata"]["deletionTimestamp"].is_null()).then_some("Terminating"))
        .or_else(|| {
            ["Suspended", "FailureTarget", "SuccessCriteriaMet"]
                .into_iter()
                .find(|condition| has_condition(job, condition))
        });
    let [names, images] = containers(&spec["template"]["spec"]);
    vec![
        job["metadata"]["name"].clone(),
        state.unwrap_or("Running").into(),
        completions.into(),
        duration.into(),
        age::of(job, now),
        names,
        images,
        selector_or_none(&spec["selector"]).into(),
    ]
}

fn cron_job(job: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&job["spec"], &job["status"]);
    let last = match &status["lastScheduleTime"] {
        Value::Null => "<none>".to_owned(),
        time => age::since(time, now),
    };
    let suspend = match spec["suspend"].as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let inner = &spec["jobTemplate"]["spec"];
    let [names, images] = containers(&inner["template"]["spec"]);
    vec![
        job["metadata"]["name"].clone(),
        text(spec, "schedule").into(),
        or(spec, "timeZone", "<none>").into(),
        suspend.into(),
        list(status, "active").len().into(),
        last.into(),
        age::of(job, now),
        names,
        images,
        selector_or_none(&inner["selector"]).into(),
    ]
}

fn subjects(binding: &Value) -> [Value; 3] {
    let of_kind = |kind: &str| {
        let subjects = list(binding, "subjects").iter().filter(|subject| subject["kind"] == kind);
        let names: Vec<String> = subjects
            .map(|subject| match text(subject, "namespace") {
                namespace if kind == "ServiceAccount" && !namespace.is_empty() => {
                    format!("{namespace}/{}", text(subject, "name"))
                }
                _ => text(subject, "name").to_owned(),
            })
            .collect();
        Value::from(names.join(", "))
    };
    [of_kind("User"), of_kind("Group"), of_kind("ServiceAccount")]
}

fn definition(definition: &Value) -> Vec<Value> {
    let spec = &definition["spec"];
    let served = list(spec, "versions").iter().filter(|version| version["served"] == true);
    let mut versions: Vec<String> = served
        .map(|version| {
            let mark = if version["storage"] == true { "(storage)" } else { "" };
            format!("{}{mark}", text(version, "name"))
        })
        .collect();
    versions.sort();
    let short: Vec<&str> = list(&spec["names"], "shortNames").iter().filter_map(Value::as_str).collect();
    vec![
        definition["metadata"]["name"].clone(),
        text(spec, "scope").into(),
        versions.join(",").into(),
        definition["metadata"]["creationTimestamp"].clone(),
        text(spec, "group").into(),
        text(&spec["names"], "kind").into(),
        short.join(",").into(),
        has_condition(definition, "Established").into(),
    ]
}
