//! What is wrong with a definition (`k8s.io/apiextensions-apiserver` `pkg/apis/apiextensions/validation`).

use serde_json::Value;

use super::schema;
use super::structural::{elements, flag, text};
use super::versions::View;
use crate::sandbox::custom::names::{dns_1035_label, dns_1123_subdomain};
use crate::sandbox::error::Cause;
use crate::sandbox::{fault, meta};

/// What is wrong with a new definition (`old` is `None`) or with a change of one.
pub(super) fn check(definition: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = metadata(definition, old);
    let view = View::of(definition);
    causes.extend(spec(definition, &view));
    if let Some(old) = old {
        causes.extend(immutable(definition, old));
    }
    causes.extend(status(definition));
    causes.extend(stored_versions(definition));
    causes.extend(super::approval::check(definition, old));
    if flag(&definition["spec"], "preserveUnknownFields")
        && !old.is_some_and(|old| flag(&old["spec"], "preserveUnknownFields"))
    {
        let told = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
                    spec.versions[*].schema instead";
        causes.push(fault::invalid("spec.preserveUnknownFields", &true.into(), told));
    }
    causes
}

/// What is wrong with a change of a definition's status.
pub(super) fn check_status(definition: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = metadata(definition, Some(old));
    causes.extend(status(definition));
    causes
}

fn metadata(definition: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = meta::Causes::default();
    let metadata = &definition["metadata"];
    if let Some(old) = old {
        meta::check_update(&mut causes, metadata, &old["metadata"], false);
        return causes.into_vec();
    }
    meta::check(&mut causes, metadata, &meta::At::new("metadata"), false, meta::dns_subdomain);
    let mut causes = causes.into_vec();
    let spec = &definition["spec"];
    let wanted = format!("{}.{}", text(&spec["names"], "plural"), text(spec, "group"));
    let name = text(metadata, "name");
    if !name.is_empty() && name != wanted {
        let at = causes.iter().rposition(|cause| cause.field == "metadata.name").map_or(0, |at| at + 1);
        let told = "must be spec.names.plural+\".\"+spec.group";
        causes.insert(at, fault::invalid_text("metadata.name", name, told));
    }
    causes
}

fn spec(definition: &Value, view: &View<'_>) -> Vec<Cause> {
    let spec = &definition["spec"];
    let mut causes: Vec<Cause> = group(text(spec, "group")).into_iter().collect();
    match text(spec, "scope") {
        "" => causes.push(fault::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => causes.push(fault::not_supported("spec.scope", &other.into(), &["Cluster", "Namespaced"])),
    }
    if view.schema.is_none() {
        for (index, version) in view.versions.iter().enumerate() {
            if version.schema.is_none() {
                let place = format!("spec.versions[{index}].schema.openAPIV3Schema");
                causes.push(fault::required(place, ""));
            }
        }
    }
    if flag(spec, "preserveUnknownFields") && view.has_defaults() {
        let told = "must be false in order to use defaults in the schema";
        causes.push(fault::invalid("spec.preserveUnknownFields", &true.into(), told));
    }
    for (index, version) in view.versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        if let Some(why) = dns_1035_label(version.name) {
            causes.push(fault::invalid_text(format!("{path}.name"), version.name, &why));
        }
        causes.extend(deprecation(version.raw, &path));
        if let Some(schema) = version.schema {
            let status = view.has_status(index);
            causes.extend(schema::check(schema, status, &format!("{path}.schema.openAPIV3Schema")));
        }
        causes.extend(subresources(version.subresources, &format!("{path}.subresources")));
        causes.extend(columns(version.columns, &format!("{path}.additionalPrinterColumns")));
        causes.extend(selectable(version.selectable, version.schema, &format!("{path}.selectableFields")));
    }
    let shown = || view.shown(&spec["versions"]);
    if !view.has_unique_names() {
        causes.push(fault::invalid_shown("spec.versions", &shown(), "must contain unique version names"));
    }
    if view.versions.iter().filter(|version| flag(version.raw, "storage")).count() != 1 {
        let told = "must have exactly one version marked as storage version";
        causes.push(fault::invalid_shown("spec.versions", &shown(), told));
    }
    for name in ["plural", "singular", "kind", "listKind"] {
        if text(&spec["names"], name).is_empty() {
            causes.push(fault::required(format!("spec.names.{name}"), ""));
        }
    }
    causes.extend(names(&spec["names"], "spec.names"));
    if let Some(schema) = view.schema {
        let status = view.has_any_status();
        causes.extend(schema::check(schema, status, "spec.validation.openAPIV3Schema"));
    }
    causes.extend(subresources(view.subresources, "spec.subresources"));
    causes.extend(columns(view.columns, "spec.additionalPrinterColumns"));
    causes.extend(selectable(view.selectable, view.schema, "spec.selectableFields"));
    causes.extend(conversion(&spec["conversion"]));
    causes
}

fn group(group: &str) -> Option<Cause> {
    if group.is_empty() {
        return Some(fault::required("spec.group", ""));
    }
    let why = dns_1123_subdomain(group)
        .or_else(|| (!group.contains('.')).then(|| "should be a domain with at least one dot".to_owned()))?;
    Some(fault::invalid_text("spec.group", group, &why))
}

fn deprecation(version: &Value, path: &str) -> Vec<Cause> {
    let Some(warning) = version["deprecationWarning"].as_str() else {
        return Vec::new();
    };
    let mut told: Vec<String> = Vec::new();
    if flag(version, "deprecated") {
        if warning.len() > 256 {
            told.push("must be <= 256 characters long".into());
        }
        if warning.is_empty() {
            told.push("must not be an empty string".into());
        }
        if let Some((at, _)) = warning.char_indices().find(|(_, letter)| letter.is_control()) {
            told.push(format!(
                "must only contain printable UTF-8 characters; non-printable character found at index {at}"
            ));
        }
    } else {
        told.push("can only be set for deprecated versions".into());
    }
    let place = format!("{path}.deprecationWarning");
    told.iter().map(|told| fault::invalid_text(place.as_str(), warning, told)).collect()
}

fn subresources(subresources: Option<&Value>, path: &str) -> Vec<Cause> {
    let Some(scale) = subresources.and_then(|subresources| subresources.get("scale")) else {
        return Vec::new();
    };
    let mut causes = Vec::new();
    let mut field = |name: &str, required: bool, above: &[&str], told: &str| {
        let place = format!("{path}.scale.{name}");
        match text(scale, name) {
            "" if required => causes.push(fault::required(place, "")),
            "" => {}
            value => {
                if let Some(cause) = simple_path(value, &place) {
                    causes.push(cause);
                } else if !above.iter().any(|above| value.starts_with(above)) {
                    causes.push(fault::invalid_text(place, value, told));
                }
            }
        }
    };
    field("specReplicasPath", true, &[".spec."], "should be a json path under .spec");
    field("statusReplicasPath", true, &[".status."], "should be a json path under .status");
    let either = "should be a json path under either .spec or .status";
    field("labelSelectorPath", false, &[".spec.", ".status."], either);
    causes
}

fn columns(columns: Option<&Value>, path: &str) -> Vec<Cause> {
    const TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
    const FORMATS: &[&str] = &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    let mut causes = Vec::new();
    for (index, column) in columns.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = |key: &str| format!("{path}[{index}].{key}");
        if text(column, "name").is_empty() {
            causes.push(fault::required(at("name"), ""));
        }
        let told = format!("must be one of {}", TYPES.join(","));
        match text(column, "type") {
            "" => causes.push(fault::required(at("type"), &told)),
            kind if TYPES.contains(&kind) => {}
            kind => causes.push(fault::invalid_text(at("type"), kind, &told)),
        }
        let format = text(column, "format");
        if !format.is_empty() && !FORMATS.contains(&format) {
            let told = format!("must be one of {}", FORMATS.join(","));
            causes.push(fault::invalid_text(at("format"), format, &told));
        }
        match text(column, "jsonPath") {
            "" => causes.push(fault::required(at("JSONPath"), "")),
            value => causes.extend(simple_path(value, &at("JSONPath"))),
        }
    }
    causes
}

fn simple_path(path: &str, place: &str) -> Option<Cause> {
    (!path.starts_with('.'))
        .then(|| fault::invalid_text(place, path, "must be a simple json path starting with ."))
}

fn selectable(fields: Option<&Value>, schema: Option<&Value>, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut seen: Vec<Vec<String>> = Vec::new();
    let (Some(fields), Some(schema)) = (fields.and_then(Value::as_array), schema) else {
        return causes;
    };
    for (index, field) in fields.iter().enumerate() {
        let place = format!("{path}[{index}].jsonPath");
        let wanted = text(field, "jsonPath");
        if wanted.is_empty() {
            causes.push(fault::required(place, ""));
            continue;
        }
        match crate::sandbox::custom::field_path::read(wanted, schema, false) {
            Err(why) => {
                causes.push(fault::invalid_text(place, wanted, &format!("is an invalid path: {why}")));
            }
            Ok((names, found)) => {
                if names.first().is_some_and(|name| name == "metadata") {
                    let told = "must not point to fields in metadata";
                    causes.push(fault::invalid_text(place.as_str(), wanted, told));
                }
                if !matches!(text(found, "type"), "string" | "boolean" | "integer") {
                    let told = "must point to a field of type string, boolean or integer. Enum string fields and \
                                strings with formats are allowed.";
                    causes.push(fault::invalid_text(place.as_str(), wanted, told));
                }
                if seen.contains(&names) {
                    causes.push(fault::duplicate(place, &wanted.into()));
                } else {
                    seen.push(names);
                }
            }
        }
    }
    if seen.len() > 8 {
        causes.push(fault::too_many(path, seen.len(), 8));
    }
    causes
}

fn names(names: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, mixed) in [("plural", false), ("singular", false), ("kind", true), ("listKind", true)] {
        let name = text(names, key);
        if name.is_empty() {
            continue;
        }
        let checked = if mixed { name.to_lowercase() } else { name.to_owned() };
        if let Some(why) = dns_1035_label(&checked) {
            let prefix = if mixed { "may have mixed case, but should otherwise match: " } else { "" };
            causes.push(fault::invalid_text(format!("{path}.{key}"), name, &format!("{prefix}{why}")));
        }
    }
    let mut labels = |key: &str| {
        for (index, name) in elements(names, key) {
            let name = name.as_str().unwrap_or_default();
            if let Some(why) = dns_1035_label(name) {
                causes.push(fault::invalid_text(format!("{path}.{key}[{index}]"), name, &why));
            }
        }
    };
    labels("shortNames");
    let (kind, list) = (text(names, "kind"), text(names, "listKind"));
    if !kind.is_empty() && kind == list {
        let told = "kind and listKind may not be the same";
        causes.push(fault::invalid_text(format!("{path}.listKind"), list, told));
    }
    let mut labels = |key: &str| {
        for (index, name) in elements(names, key) {
            let name = name.as_str().unwrap_or_default();
            if let Some(why) = dns_1035_label(name) {
                causes.push(fault::invalid_text(format!("{path}.{key}[{index}]"), name, &why));
            }
        }
    };
    labels("categories");
    causes
}

fn conversion(conversion: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let webhook = &conversion["webhook"];
    match text(conversion, "strategy") {
        "" => causes.push(fault::required("spec.conversion.strategy", "")),
        "None" => {
            if webhook["clientConfig"].is_object() {
                let told = "should not be set when strategy is not set to Webhook";
                causes.push(fault::forbidden("spec.conversion.webhookClientConfig", told));
            }
            if elements(webhook, "conversionReviewVersions").next().is_some() {
                let told = "should not be set when strategy is not set to Webhook";
                causes.push(fault::forbidden("spec.conversion.conversionReviewVersions", told));
            }
        }
        "Webhook" => {
            let place = "spec.conversion.webhookClientConfig";
            if !webhook["clientConfig"].is_object() {
                causes.push(fault::required(place, "required when strategy is set to Webhook"));
            } else if webhook["clientConfig"]["url"].is_null() == webhook["clientConfig"]["service"].is_null()
            {
                causes.push(fault::required(place, "exactly one of url or service is required"));
            }
            if elements(webhook, "conversionReviewVersions").next().is_none() {
                causes.push(fault::required("spec.conversion.conversionReviewVersions", ""));
            }
            if causes.is_empty() {
                let told = "the sandbox calls no webhooks: only the strategy None is served";
                causes.push(fault::forbidden("spec.conversion.strategy", told));
            }
        }
        other => {
            let place = "spec.conversion.strategy";
            causes.push(fault::not_supported(place, &other.into(), &["None", "Webhook"]));
        }
    }
    causes
}

fn immutable(definition: &Value, old: &Value) -> Vec<Cause> {
    let established = crate::sandbox::custom::has_condition(old, "Established");
    let mut causes = Vec::new();
    let mut same = |path: &[&str]| {
        let at =
            |definition: &Value| path.iter().fold(&definition["spec"], |value, key| &value[*key]).clone();
        let (new, old) = (at(definition), at(old));
        if new != old {
            causes.push(fault::invalid(format!("spec.{}", path.join(".")), &new, "field is immutable"));
        }
    };
    if established {
        same(&["scope"]);
        same(&["names", "kind"]);
    }
    same(&["group"]);
    same(&["names", "plural"]);
    causes
}

fn status(definition: &Value) -> Vec<Cause> {
    names(&definition["status"]["acceptedNames"], "status.acceptedNames")
}

fn stored_versions(definition: &Value) -> Vec<Cause> {
    const PATH: &str = "status.storedVersions";
    let stored = &definition["status"]["storedVersions"];
    let list: Vec<&str> = stored.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if list.is_empty() {
        return vec![fault::invalid(PATH, stored, "must have at least one stored version")];
    }
    let mut causes = Vec::new();
    let mut rest = list.clone();
    for (_, version) in elements(&definition["spec"], "versions") {
        let name = text(version, "name");
        if flag(version, "storage") && !rest.contains(&name) {
            let told = format!("must have the storage version {name}");
            causes.push(fault::invalid(PATH, stored, &told));
        }
        rest.retain(|stored| *stored != name);
    }
    for name in rest {
        let index = list.iter().position(|stored| *stored == name).unwrap_or_default();
        let told = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions \
             until a storage migration ensures no data remains persisted in {name} and removes {name} from \
             status.storedVersions"
        );
        causes.push(fault::invalid_text(format!("{PATH}[{index}]"), name, &told));
    }
    causes
}
