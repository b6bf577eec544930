//! Job and `CronJob`.

use serde_json::{Value, json};

use super::{cron, failure_policy, pod, selectors, workload};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::look::map_mut;
use crate::sandbox::meta::{At, Causes, dns_label, dns_subdomain, same};
use crate::sandbox::resource::Draw;

const INDEXED: &str = "Indexed";

/// A new Job selects its pods by its uid, unless it says how itself.
pub(super) fn prepare_create(object: &mut Value, _: &dyn Draw) {
    if object["spec"].flag("manualSelector") {
        return;
    }
    let (name, uid) = (object["metadata"]["name"].clone(), object["metadata"]["uid"].clone());
    // A Job without labels has those of its template, one and the same map on the server: it gets all of these too.
    let labels = &object["metadata"]["labels"];
    let shares_labels = !labels.is_null() && *labels == object["spec"]["template"]["metadata"]["labels"];
    let spec = &mut object["spec"];
    map_mut(spec, "template");
    let labels = pod::labels_of(&mut spec["template"]);
    for (key, value) in [
        ("job-name", &name),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/controller-uid", &uid),
    ] {
        labels.entry(key).or_insert_with(|| value.clone());
    }
    if shares_labels {
        object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
    }
    let spec = &mut object["spec"];
    map_mut(spec, "selector");
    map_mut(&mut spec["selector"], "matchLabels").entry("batch.kubernetes.io/controller-uid").or_insert(uid);
}

/// Checks a Job.
pub(super) fn validate(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    if old.is_none() {
        generated_selector(causes, object, &at);
    }
    check_spec(causes, spec, &at);
    match spec.some("selector") {
        None => causes.required(&at.child("selector"), ""),
        Some(selector) => selectors::check(causes, selector, &at.child("selector")),
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if selectors::selects(&spec["selector"], labels) == Some(false) {
        let at = at.child("template.metadata.labels");
        causes.invalid(&at, labels.clone(), "`selector` does not match template `labels`");
    }
    if let Some(old) = old {
        change(causes, spec, &old["spec"], &at);
    }
    if let Some(count) = spec.int("completions").filter(|count| *count > 0)
        && spec.text("completionMode") == INDEXED
    {
        let name = object["metadata"].text("name");
        let host = format!("{name}-{}", count - 1);
        if !dns_label(&host).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {host}");
            causes.invalid(&At::new("metadata.name"), name, &detail);
        }
    }
}

fn generated_selector(causes: &mut Causes, object: &Value, at: &At) {
    let spec = &object["spec"];
    if spec.flag("manualSelector") || spec.some("selector").is_none() {
        return;
    }
    let (name, uid) = (object["metadata"].text("name"), object["metadata"].text("uid"));
    let labels = &spec["template"]["metadata"]["labels"];
    let at_labels = at.child("template.metadata.labels");
    let expected = [
        ("controller-uid", uid),
        ("job-name", name),
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ];
    for (key, value) in expected {
        match labels.get(key).and_then(Value::as_str) {
            None => causes.required(&at_labels.key(key), &format!("must be '{value}'")),
            Some(other) if other != value => {
                causes.invalid(&at_labels.key(key), labels.clone(), &format!("must be '{value}'"));
            }
            Some(_) => {}
        }
    }
    let expected: Value = expected.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    if selectors::selects(&spec["selector"], &expected) == Some(false) {
        let detail = "`selector` not auto-generated";
        causes.invalid(&at.child("selector"), spec["selector"].clone(), detail);
    }
}

fn check_spec(causes: &mut Causes, spec: &Value, at: &At) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        causes.non_negative(&at.child(field), spec.int(field));
    }
    let per_index = spec.int("backoffLimitPerIndex");
    if spec.some("maxFailedIndexes").is_some() && per_index.is_none() {
        let at = at.child("backoffLimitPerIndex");
        causes.declared(|causes| causes.required(&at, "when maxFailedIndexes is specified"));
    }
    managed_by(causes, spec, &at.child("managedBy"));
    let mode = spec.some("completionMode").and_then(Value::as_str).unwrap_or("NonIndexed");
    if !matches!(mode, "NonIndexed" | INDEXED) {
        causes.not_supported(&at.child("completionMode"), mode, &["NonIndexed", INDEXED]);
    }
    if mode == INDEXED {
        if spec.some("completions").is_none() {
            causes.required(&at.child("completions"), "when completion mode is Indexed");
        }
        if let Some(count) = spec.int("parallelism").filter(|count| *count > 100_000) {
            let detail = "must be less than or equal to 100000 when completion mode is Indexed";
            causes.invalid(&at.child("parallelism"), count, detail);
        }
        if let Some(most) = spec.int("maxFailedIndexes") {
            let at = at.child("maxFailedIndexes");
            if spec.int("completions").is_some_and(|count| most > count) {
                causes.invalid(&at, most, "must be less than or equal to completions");
            }
            if most > 100_000 {
                causes.invalid(&at, most, "must be less than or equal to 100000");
            }
        }
    } else if mode == "NonIndexed" {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(number) = spec.int(field) {
                causes.invalid(&at.child(field), number, "requires indexed completion mode");
            }
        }
    }
    failure_policy::check(causes, spec, at);
    if let Some(replacement) = spec.some("podReplacementPolicy").and_then(Value::as_str) {
        let supported: &[&str] = if spec.some("podFailurePolicy").is_some() {
            &["Failed"]
        } else {
            &["Failed", "TerminatingOrFailed"]
        };
        if !supported.contains(&replacement) {
            causes.not_supported(&at.child("podReplacementPolicy"), replacement, supported);
        }
    }
    pod::check_template(causes, &spec["template"], &at.child("template"));
    let at_policy = at.child("template.spec.restartPolicy");
    match spec["template"]["spec"].text("restartPolicy") {
        "Always" | "" => causes.required(&at_policy, "valid values: \"OnFailure\", \"Never\""),
        "Never" => {}
        "OnFailure" if spec.some("podFailurePolicy").is_none() => {}
        "OnFailure" => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            causes.invalid(&at_policy, "OnFailure", detail);
        }
        other => causes.not_supported(&at_policy, other, &["OnFailure", "Never"]),
    }
}

fn managed_by(causes: &mut Causes, spec: &Value, at: &At) {
    let Some(manager) = spec.some("managedBy").and_then(Value::as_str) else { return };
    match manager.split_once('/') {
        _ if manager.is_empty() => causes.required(at, ""),
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            causes.each_invalid(at, host, &dns_subdomain(host));
        }
        _ => causes.invalid(at, manager, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if manager.len() > 63 {
        causes.too_long(at, 63);
    }
}

fn change(causes: &mut Causes, spec: &Value, old: &Value, at: &At) {
    let at_completions = at.child("completions");
    if spec.text("completionMode") != INDEXED {
        causes.immutable(&at_completions, &spec["completions"], &old["completions"]);
    } else if spec.int("completions") != old.int("completions")
        && spec.some("completions").is_some()
        && spec.int("completions") != spec.int("parallelism")
    {
        let detail = "can only be modified in tandem with spec.parallelism";
        causes.invalid(&at_completions, spec["completions"].clone(), detail);
    }
    causes.immutable(&at.child("selector"), &spec["selector"], &old["selector"]);
    let mut was = old["template"].clone();
    if old.flag("suspend") {
        // What places pods may change while none has been started.
        let now = &spec["template"];
        for field in ["labels", "annotations"] {
            was["metadata"][field] = now["metadata"][field].clone();
        }
        for field in ["nodeSelector", "tolerations", "schedulingGates"] {
            was["spec"][field] = now["spec"][field].clone();
        }
        let affinity = now["spec"]["affinity"]["nodeAffinity"].clone();
        if !affinity.is_null() || was["spec"].some("affinity").is_some() {
            was["spec"]["affinity"]["nodeAffinity"] = affinity;
        }
    }
    if !same(&without_nulls(&spec["template"]), &without_nulls(&was)) {
        causes.invalid(&at.child("template"), spec["template"].clone(), "field is immutable");
    }
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        causes.immutable(&at.child(field), &spec[field], &old[field]);
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value)))
                .filter(|(_, value)| value.as_object().is_none_or(|map| !map.is_empty()))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Checks a `CronJob`.
pub(super) fn validate_cron(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let old_spec = old.map(|old| &old["spec"]);
    schedule(causes, spec, old_spec, &at.child("schedule"));
    causes.non_negative(&at.child("startingDeadlineSeconds"), spec.int("startingDeadlineSeconds"));
    if old_spec.is_none_or(|old| old["timeZone"] != spec["timeZone"]) {
        time_zone(causes, spec, &at.child("timeZone"));
    }
    let policy = spec.text("concurrencyPolicy");
    if !matches!(policy, "Allow" | "Forbid" | "Replace") {
        causes.not_supported(&at.child("concurrencyPolicy"), policy, &["Allow", "Forbid", "Replace"]);
    }
    let (job, at_job) = (&spec["jobTemplate"]["spec"], at.child("jobTemplate.spec"));
    check_spec(causes, job, &at_job);
    if let Some(selector) = job.some("selector") {
        let detail = "`selector` will be auto-generated";
        causes.invalid(&at_job.child("selector"), selector.clone(), detail);
    }
    if job.flag("manualSelector") {
        causes.not_supported(&at_job.child("manualSelector"), true, &["nil", "false"]);
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        causes.non_negative(&at.child(field), spec.int(field));
    }
    let name = object["metadata"].text("name");
    if old.is_none() && name.len() > 52 {
        causes.invalid(&At::new("metadata.name"), name, "must be no more than 52 characters");
    }
}

fn schedule(causes: &mut Causes, spec: &Value, old: Option<&Value>, at: &At) {
    let schedule = spec.text("schedule");
    if schedule.is_empty() {
        return causes.declared(|causes| causes.required(at, ""));
    }
    if let Err(detail) = cron::check(schedule) {
        causes.invalid(at, schedule, &detail);
    }
    let is_allowed = old.is_some_and(|old| old.text("schedule").contains("TZ"));
    if schedule.contains("TZ") {
        if !is_allowed {
            let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            causes.invalid(at, schedule, detail);
        } else if spec.some("timeZone").is_some() {
            let detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
            causes.invalid(at, schedule, detail);
        }
    }
}

fn time_zone(causes: &mut Causes, spec: &Value, at: &At) {
    let Some(zone) = spec.some("timeZone").and_then(Value::as_str) else { return };
    if zone.is_empty() {
        return causes.invalid(at, zone, "timeZone must be nil or non-empty string");
    }
    let is_known = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-'))
    };
    if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        causes.invalid(at, zone, detail);
    }
    if !zone.split('/').all(is_known) || jiff::tz::TimeZone::get(zone).is_err() {
        causes.invalid(at, zone, &format!("unknown time zone {zone}"));
    }
}

/// Warnings about a Job.
pub(super) fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    workload::named_warnings(object, old)
}

/// Warnings about a `CronJob`.
pub(super) fn cron_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = workload::name_warnings(object, old);
    if old.is_none_or(|old| old["metadata"]["generation"] != object["metadata"]["generation"]) {
        let template = &object["spec"]["jobTemplate"]["spec"]["template"];
        warnings.extend(pod::template_warnings(template, &At::new("spec.jobTemplate.spec.template")));
    }
    warnings
}
