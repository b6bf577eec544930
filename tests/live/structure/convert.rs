//! OpenAPI v3 documents of an API server → the text of `src/schema/structure.txt`.
//!
//! The reading of a schema follows `kube-openapi/pkg/schemaconv/openapi.go`, by which the API server
//! itself decides what server-side apply tracks: a list without `x-kubernetes-list-type` is atomic, an
//! object without properties is free-form, `x-kubernetes-map-type` may stand beside a `$ref`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

/// Builds the table of these kinds from one document per `apiVersion`.
pub(super) fn table(
    versions: &[(String, String)],
    documents: &BTreeMap<String, Value>,
    wanted: &[(&str, &[&str])],
) -> String {
    let mut types = Types::default();
    let mut kinds = String::new();
    for (api_version, names) in wanted {
        let document = &documents[*api_version];
        let schemas = &document["components"]["schemas"];
        for kind in *names {
            let name = schema_name(schemas, api_version, kind)
                .unwrap_or_else(|| panic!("the server has no schema of {api_version} {kind}"));
            let scope = if is_namespaced(document, api_version, kind) { 'N' } else { 'C' };
            let id = types.reference(schemas, &name, None);
            writeln!(kinds, "kind {api_version} {kind} {scope} {id}").unwrap();
        }
    }
    // Cozystack serves applications through an aggregated API whose schema depends on what is installed:
    // the kind is known, its spec is not.
    let schemas = &documents["v1"]["components"]["schemas"];
    let meta = types.reference(schemas, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", None);
    let (text, any) = (types.intern("string"), types.intern("any"));
    let tenant = types
        .intern(&format!("object* apiVersion:{text} kind:{text} metadata:{meta} spec:{any} status:{any}"));
    writeln!(kinds, "kind apps.cozystack.io/v1alpha1 Tenant N {tenant}").unwrap();

    let mut out = String::new();
    for (name, version) in versions {
        writeln!(out, "version {name} {version}").unwrap();
    }
    out.push_str(&kinds);
    for line in &types.lines {
        writeln!(out, "type {line}").unwrap();
    }
    out
}

fn gvk(api_version: &str, kind: &str) -> Value {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    serde_json::json!({"group": group, "version": version, "kind": kind})
}

/// The name under which a kind's schema is published.
pub(super) fn schema_name(schemas: &Value, api_version: &str, kind: &str) -> Option<String> {
    let wanted = gvk(api_version, kind);
    let of_kind = |schema: &Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|list| list.contains(&wanted))
    };
    let mut schemas = schemas.as_object()?.iter();
    schemas.find(|(_, schema)| of_kind(schema)).map(|(name, _)| name.clone())
}

fn is_namespaced(document: &Value, api_version: &str, kind: &str) -> bool {
    let wanted = gvk(api_version, kind);
    document["paths"].as_object().unwrap().iter().any(|(path, item)| {
        path.contains("/namespaces/{namespace}/") && item["post"]["x-kubernetes-group-version-kind"] == wanted
    })
}

/// Fields that OpenAPI calls required, since their Go types always write them, and that the server takes without
/// (the live tests try every required field of their corpus).
const TAKEN_WITHOUT: &[(&str, &str)] = &[
    ("CustomResourceDefinitionVersion", "served"),
    ("CustomResourceDefinitionVersion", "storage"),
    ("ForNode", "name"),
    ("ForZone", "name"),
    ("HTTPHeader", "value"),
    ("ISCSIPersistentVolumeSource", "lun"),
    ("ISCSIVolumeSource", "lun"),
    ("LimitRangeSpec", "limits"),
    ("PodFailurePolicy", "rules"),
    ("PreferredSchedulingTerm", "preference"),
    ("SleepAction", "seconds"),
    ("Sysctl", "value"),
    ("TypedLocalObjectReference", "kind"),
];

#[derive(Default)]
struct Types {
    lines: Vec<String>,
    by_line: BTreeMap<String, usize>,
    by_reference: BTreeMap<(String, Option<String>), usize>,
}

impl Types {
    fn intern(&mut self, line: &str) -> usize {
        if let Some(id) = self.by_line.get(line) {
            return *id;
        }
        self.lines.push(line.to_owned());
        self.by_line.insert(line.to_owned(), self.lines.len() - 1);
        self.lines.len() - 1
    }

    /// The type of a named schema. Its id is known before its fields are read: `JSONSchemaProps` holds itself.
    fn reference(&mut self, schemas: &Value, name: &str, map_type: Option<&str>) -> usize {
        match name.rsplit('.').next().unwrap() {
            "Quantity" => return self.intern("quantity"),
            "IntOrString" => return self.intern("int-or-string"),
            // Atomic whatever it holds, which the table has no type for.
            "RawExtension" => panic!("a kind with {name}"),
            _ => {}
        }
        let key = (name.to_owned(), map_type.map(str::to_owned));
        if let Some(id) = self.by_reference.get(&key) {
            return *id;
        }
        let schema = &schemas[name];
        assert!(schema.is_object(), "no schema {name}");
        if schema.get("properties").is_none() {
            let id = self.schema(schemas, schema, map_type);
            self.by_reference.insert(key, id);
            return id;
        }
        self.lines.push(String::new());
        let id = self.lines.len() - 1;
        self.by_reference.insert(key, id);
        let short = name.rsplit('.').next().unwrap();
        let mut line = self.describe(schemas, schema, map_type);
        for (_, field) in TAKEN_WITHOUT.iter().filter(|(of, _)| *of == short) {
            line = line.replace(&format!(" {field}!:"), &format!(" {field}:"));
        }
        self.lines[id] = line;
        id
    }

    fn schema(&mut self, schemas: &Value, schema: &Value, map_type: Option<&str>) -> usize {
        let map_type = schema["x-kubernetes-map-type"].as_str().or(map_type);
        let inner = match schema["allOf"].as_array().map(Vec::as_slice) {
            Some([one]) => one,
            _ => schema,
        };
        if let Some(reference) = inner["$ref"].as_str() {
            return self.reference(schemas, reference.rsplit('/').next().unwrap(), map_type);
        }
        let line = self.describe(schemas, schema, map_type);
        self.intern(&line)
    }

    fn describe(&mut self, schemas: &Value, schema: &Value, map_type: Option<&str>) -> String {
        let keeps_unknown = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let map_type = map_type.or(schema["x-kubernetes-map-type"].as_str());
        if schema["x-kubernetes-int-or-string"] == true || schema["format"] == "int-or-string" {
            return "int-or-string".into();
        }
        match schema["type"].as_str() {
            Some("string") => string(schema),
            Some("integer") if schema["format"] == "int32" => "int32".into(),
            Some("integer") => "int64".into(),
            Some("number") => "number".into(),
            Some("boolean") => "bool".into(),
            Some("array") => self.list(schemas, schema),
            Some("object") => self.object(schemas, schema, map_type, keeps_unknown),
            None => "any".into(),
            Some(other) => panic!("type {other}"),
        }
    }

    fn list(&mut self, schemas: &Value, schema: &Value) -> String {
        let item = self.schema(schemas, &schema["items"], None);
        match schema["x-kubernetes-list-type"].as_str() {
            None | Some("atomic") => format!("list {item}"),
            Some("set") => format!("set {item}"),
            Some("map") => {
                let mut line = format!("listmap {item}");
                let item_schema = resolve(schemas, &schema["items"]);
                for key in schema["x-kubernetes-list-map-keys"].as_array().unwrap() {
                    let key = key.as_str().unwrap();
                    write!(line, " {key}").unwrap();
                    // An empty or zero default is the Go type's zero value, which no key of an element has.
                    let default = &item_schema["properties"][key]["default"];
                    if !default.is_null() && *default != 0 && *default != "" {
                        write!(line, "={default}").unwrap();
                    }
                }
                line
            }
            Some(other) => panic!("list type {other}"),
        }
    }

    fn object(
        &mut self,
        schemas: &Value,
        schema: &Value,
        map_type: Option<&str>,
        keeps_unknown: bool,
    ) -> String {
        let atomic = if map_type == Some("atomic") { "@" } else { "" };
        let Some(properties) = schema["properties"].as_object() else {
            return match &schema["additionalProperties"] {
                Value::Object(_) => {
                    let value = self.schema(schemas, &schema["additionalProperties"], None);
                    format!("map{atomic} {value}")
                }
                _ if keeps_unknown && atomic.is_empty() => "any".into(),
                _ => format!("map{atomic} {}", self.intern("any")),
            };
        };
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let unknown = if keeps_unknown { "*" } else { "" };
        let mut line = format!("object{atomic}{unknown}");
        for (name, field) in properties {
            let id = self.schema(schemas, field, None);
            // A default stands in for what is left out; only an empty one does not satisfy.
            let default = &field["default"];
            let empty = default.is_null() || *default == 0 || *default == "" || *default == false;
            let empty = empty || *default == serde_json::json!({});
            let mark = if required.contains(&name.as_str()) && empty { "!" } else { "" };
            write!(line, " {name}{mark}:{id}").unwrap();
        }
        line
    }
}

fn resolve<'s>(schemas: &'s Value, schema: &'s Value) -> &'s Value {
    let inner = schema["allOf"].get(0).unwrap_or(schema);
    match inner["$ref"].as_str() {
        Some(reference) => &schemas[reference.rsplit('/').next().unwrap()],
        None => schema,
    }
}

fn string(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return format!("enum {}", Value::Array(values.clone()));
    }
    match schema["format"].as_str() {
        Some("date-time") => return "date-time".into(),
        Some("byte") => return "bytes".into(),
        _ => {}
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    if let Some(units) =
        pattern.strip_prefix(r"^([0-9]+(\.[0-9]+)?(").and_then(|rest| rest.strip_suffix("))+$"))
    {
        return format!("duration {}", units.replace('|', " "));
    }
    if let Some(schemes) = pattern
        .strip_prefix('^')
        .and_then(|rest| rest.strip_suffix("://.*$").map(|schemes| schemes.trim_matches(['(', ')'])))
    {
        return format!("url {}", schemes.replace('|', " "));
    }
    "string".into()
}
