//! The Go types of a definition (`k8s.io/apiextensions-apiserver` `pkg/apis/apiextensions/v1`).

use crate::sandbox::custom::meta::OBJECT_META;
use crate::sandbox::custom::typed::Empty::{Kept, Omitted, Written};
use crate::sandbox::custom::typed::{Struct, Type};

/// `CustomResourceDefinition`.
pub(super) static DEFINITION: Struct = Struct {
    name: "CustomResourceDefinition",
    fields: &[
        ("apiVersion", Type::Text, Omitted),
        ("kind", Type::Text, Omitted),
        ("metadata", Type::Struct(&OBJECT_META), Omitted),
        ("spec", Type::Struct(&SPEC), Written),
        ("status", Type::Struct(&STATUS), Written),
    ],
};

static SPEC: Struct = Struct {
    name: "CustomResourceDefinitionSpec",
    fields: &[
        ("conversion", Type::Struct(&CONVERSION), Kept),
        ("group", Type::Text, Written),
        ("names", Type::Struct(&NAMES), Written),
        ("preserveUnknownFields", Type::Bool, Omitted),
        ("scope", Type::Named("v1.ResourceScope"), Written),
        ("versions", Type::List(&VERSION), Written),
    ],
};

static CONVERSION: Struct = Struct {
    name: "CustomResourceConversion",
    fields: &[
        ("strategy", Type::Named("v1.ConversionStrategyType"), Written),
        ("webhook", Type::Struct(&WEBHOOK), Kept),
    ],
};

static WEBHOOK: Struct = Struct {
    name: "WebhookConversion",
    fields: &[
        ("clientConfig", Type::Struct(&CLIENT_CONFIG), Kept),
        ("conversionReviewVersions", Type::Texts, Written),
    ],
};

static CLIENT_CONFIG: Struct = Struct {
    name: "WebhookClientConfig",
    fields: &[
        ("caBundle", Type::Bytes, Omitted),
        ("service", Type::Struct(&SERVICE), Kept),
        ("url", Type::Text, Kept),
    ],
};

static SERVICE: Struct = Struct {
    name: "ServiceReference",
    fields: &[
        ("name", Type::Text, Written),
        ("namespace", Type::Text, Written),
        ("path", Type::Text, Kept),
        ("port", Type::Int32, Kept),
    ],
};

static NAMES: Struct = Struct {
    name: "CustomResourceDefinitionNames",
    fields: &[
        ("categories", Type::Texts, Omitted),
        ("kind", Type::Text, Written),
        ("listKind", Type::Text, Omitted),
        ("plural", Type::Text, Written),
        ("shortNames", Type::Texts, Omitted),
        ("singular", Type::Text, Omitted),
    ],
};

static VERSION: Struct = Struct {
    name: "CustomResourceDefinitionVersion",
    fields: &[
        ("additionalPrinterColumns", Type::List(&COLUMN), Omitted),
        ("deprecated", Type::Bool, Omitted),
        ("deprecationWarning", Type::Text, Kept),
        ("name", Type::Text, Written),
        ("schema", Type::Struct(&VALIDATION), Kept),
        ("selectableFields", Type::List(&SELECTABLE), Omitted),
        ("served", Type::Bool, Written),
        ("storage", Type::Bool, Written),
        ("subresources", Type::Struct(&SUBRESOURCES), Kept),
    ],
};

static COLUMN: Struct = Struct {
    name: "CustomResourceColumnDefinition",
    fields: &[
        ("description", Type::Text, Omitted),
        ("format", Type::Text, Omitted),
        ("jsonPath", Type::Text, Written),
        ("name", Type::Text, Written),
        ("priority", Type::Int32, Omitted),
        ("type", Type::Text, Written),
    ],
};

static SELECTABLE: Struct = Struct { name: "SelectableField", fields: &[("jsonPath", Type::Text, Written)] };

static SUBRESOURCES: Struct = Struct {
    name: "CustomResourceSubresources",
    fields: &[("scale", Type::Struct(&SCALE), Kept), ("status", Type::Struct(&STATUS_SUBRESOURCE), Kept)],
};

static STATUS_SUBRESOURCE: Struct = Struct { name: "CustomResourceSubresourceStatus", fields: &[] };

static SCALE: Struct = Struct {
    name: "CustomResourceSubresourceScale",
    fields: &[
        ("labelSelectorPath", Type::Text, Kept),
        ("specReplicasPath", Type::Text, Written),
        ("statusReplicasPath", Type::Text, Written),
    ],
};

static VALIDATION: Struct =
    Struct { name: "CustomResourceValidation", fields: &[("openAPIV3Schema", Type::Struct(&SCHEMA), Kept)] };

static SCHEMA: Struct = Struct {
    name: "JSONSchemaProps",
    fields: &[
        ("$ref", Type::Text, Kept),
        ("$schema", Type::Named("v1.JSONSchemaURL"), Omitted),
        ("additionalItems", Type::OrBool(&SCHEMA), Kept),
        ("additionalProperties", Type::OrBool(&SCHEMA), Kept),
        ("allOf", Type::List(&SCHEMA), Omitted),
        ("anyOf", Type::List(&SCHEMA), Omitted),
        ("default", Type::Json, Kept),
        ("definitions", Type::Map(&SCHEMA), Omitted),
        ("dependencies", Type::OrTexts(&SCHEMA), Omitted),
        ("description", Type::Text, Omitted),
        ("enum", Type::Jsons, Omitted),
        ("example", Type::Json, Kept),
        ("exclusiveMaximum", Type::Bool, Omitted),
        ("exclusiveMinimum", Type::Bool, Omitted),
        ("externalDocs", Type::Struct(&DOCS), Kept),
        ("format", Type::Text, Omitted),
        ("id", Type::Text, Omitted),
        ("items", Type::OrList(&SCHEMA), Kept),
        ("maxItems", Type::Int64, Kept),
        ("maxLength", Type::Int64, Kept),
        ("maxProperties", Type::Int64, Kept),
        ("maximum", Type::Float, Kept),
        ("minItems", Type::Int64, Kept),
        ("minLength", Type::Int64, Kept),
        ("minProperties", Type::Int64, Kept),
        ("minimum", Type::Float, Kept),
        ("multipleOf", Type::Float, Kept),
        ("not", Type::Struct(&SCHEMA), Kept),
        ("nullable", Type::Bool, Omitted),
        ("oneOf", Type::List(&SCHEMA), Omitted),
        ("pattern", Type::Text, Omitted),
        ("patternProperties", Type::Map(&SCHEMA), Omitted),
        ("properties", Type::Map(&SCHEMA), Omitted),
        ("required", Type::Texts, Omitted),
        ("title", Type::Text, Omitted),
        ("type", Type::Text, Omitted),
        ("uniqueItems", Type::Bool, Omitted),
        ("x-kubernetes-embedded-resource", Type::Bool, Omitted),
        ("x-kubernetes-int-or-string", Type::Bool, Omitted),
        ("x-kubernetes-list-map-keys", Type::Texts, Omitted),
        ("x-kubernetes-list-type", Type::Text, Kept),
        ("x-kubernetes-map-type", Type::Text, Kept),
        ("x-kubernetes-preserve-unknown-fields", Type::Bool, Kept),
        ("x-kubernetes-validations", Type::List(&RULE), Omitted),
    ],
};

static DOCS: Struct = Struct {
    name: "ExternalDocumentation",
    fields: &[("description", Type::Text, Omitted), ("url", Type::Text, Omitted)],
};

static RULE: Struct = Struct {
    name: "ValidationRule",
    fields: &[
        ("fieldPath", Type::Text, Omitted),
        ("message", Type::Text, Omitted),
        ("messageExpression", Type::Text, Omitted),
        ("optionalOldSelf", Type::Bool, Kept),
        ("reason", Type::Named("v1.FieldValueErrorReason"), Kept),
        ("rule", Type::Text, Written),
    ],
};

static STATUS: Struct = Struct {
    name: "CustomResourceDefinitionStatus",
    fields: &[
        ("acceptedNames", Type::Struct(&NAMES), Written),
        ("conditions", Type::List(&CONDITION), Written),
        ("observedGeneration", Type::Int64, Omitted),
        ("storedVersions", Type::Texts, Written),
    ],
};

static CONDITION: Struct = Struct {
    name: "CustomResourceDefinitionCondition",
    fields: &[
        ("lastTransitionTime", Type::Time, Written),
        ("message", Type::Text, Omitted),
        ("observedGeneration", Type::Int64, Omitted),
        ("reason", Type::Text, Omitted),
        ("status", Type::Named("v1.ConditionStatus"), Written),
        ("type", Type::Named("v1.CustomResourceDefinitionConditionType"), Written),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields are looked up by halving.
    #[test]
    fn fields_are_sorted() {
        for of in [
            &DEFINITION,
            &SPEC,
            &CONVERSION,
            &WEBHOOK,
            &CLIENT_CONFIG,
            &SERVICE,
            &NAMES,
            &VERSION,
            &COLUMN,
            &SUBRESOURCES,
            &SCALE,
            &SCHEMA,
            &DOCS,
            &RULE,
            &STATUS,
            &CONDITION,
            &OBJECT_META,
        ] {
            assert!(of.fields.is_sorted_by_key(|(name, ..)| *name), "{}", of.name);
        }
    }
}
