//! Content types: what a client sends, and what it wants to have.

use crate::sandbox::error::{ApiError, Details};

/// Media types of the API server. The sandbox speaks the first alone.
const MEDIA_TYPES: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Whole,
    /// `PartialObjectMetadata` of one object.
    Metadata,
    /// `PartialObjectMetadataList` of a list.
    MetadataList,
    /// `Table` of an object or a list.
    Table,
}

/// The form that an `Accept` header asks for, and the version of `meta.k8s.io` it is in.
///
/// # Errors
/// 406.
pub(super) fn form(accept: &str, is_custom: bool) -> Result<(Form, &'static str), ApiError> {
    if accept.trim().is_empty() {
        return Ok((Form::Whole, "v1"));
    }
    let not_acceptable = |message: String| ApiError::new(406, "NotAcceptable", message);
    let mut clauses: Vec<Clause<'_>> = accept.split(',').map(Clause::parse).collect();
    // The sort is stable: what is wanted as much comes as it was written.
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    // Of built-in kinds a router looks first, which knows whole names alone.
    let is_routed = |clause: &Clause<'_>| clause.media == "*/*" || MEDIA_TYPES.contains(&clause.media);
    if !is_custom && !clauses.iter().any(is_routed) {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {}", MEDIA_TYPES.join(", "));
        return Err(not_acceptable(message).with(Details::default()));
    }
    let found = clauses.iter().filter(|clause| clause.covers(MEDIA_TYPES[0])).find_map(Clause::form);
    if let Some(found) = found {
        return Ok(found);
    }
    let covers_any = clauses.iter().any(|clause| MEDIA_TYPES.iter().any(|media| clause.covers(media)));
    let is_json = clauses.iter().any(|clause| clause.covers(MEDIA_TYPES[0]));
    if covers_any && !is_json {
        return Err(not_acceptable("the sandbox answers application/json only".into()));
    }
    let known = MEDIA_TYPES.join(", ");
    Err(not_acceptable(format!("only the following media types are accepted: {known}")))
}

/// One media type of an `Accept` header.
struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let mut parameters = Vec::new();
        let mut quality = 1.0;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" => quality = value.trim().parse().unwrap_or(1.0),
                name => parameters.push((name, value.trim())),
            }
        }
        Self { media, parameters, quality }
    }

    fn covers(&self, media: &str) -> bool {
        let kind = media.split('/').next().unwrap_or_default();
        self.media == media || self.media == "*/*" || self.media.strip_suffix("/*") == Some(kind)
    }

    fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value).unwrap_or_default()
    }

    fn form(&self) -> Option<(Form, &'static str)> {
        let (kind, group) = (self.parameter("as"), self.parameter("g"));
        if kind.is_empty() && group.is_empty() && self.parameter("v").is_empty() {
            return matches!(self.parameter("stream"), "" | "watch").then_some((Form::Whole, "v1"));
        }
        let version = match self.parameter("v") {
            "v1" => "v1",
            "v1beta1" => "v1beta1",
            _ => return None,
        };
        let form = match kind {
            "PartialObjectMetadata" => Form::Metadata,
            "PartialObjectMetadataList" => Form::MetadataList,
            "Table" => Form::Table,
            _ => return None,
        };
        (group == "meta.k8s.io").then_some((form, version))
    }
}

/// Checks the content type of a POST, PUT or DELETE.
///
/// # Errors
/// 415.
pub(super) fn check_body(content_type: &str) -> Result<(), ApiError> {
    let media = media(content_type);
    let message = match media.as_str() {
        "" | "application/json" => return Ok(()),
        "application/yaml" | "application/vnd.kubernetes.protobuf" => {
            format!("the sandbox reads application/json only, not {media}")
        }
        _ => unknown_format(&MEDIA_TYPES),
    };
    Err(unsupported(message))
}

/// A patch's content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchType {
    /// Server-side apply.
    Apply,
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
}

/// Reads the content type of a PATCH.
///
/// # Errors
/// 415.
pub(super) fn patch_type(content_type: &str, is_custom: bool) -> Result<PatchType, ApiError> {
    let media = content_type.split(';').next().unwrap_or_default();
    match media {
        "application/apply-patch+yaml" => Ok(PatchType::Apply),
        "application/merge-patch+json" => Ok(PatchType::Merge),
        "application/json-patch+json" => Ok(PatchType::Json),
        _ if is_custom => {
            let known = [
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/apply-patch+yaml",
            ];
            Err(unsupported(unknown_format(&known)))
        }
        "application/strategic-merge-patch+json" => Err(unsupported(
            "the sandbox does not do strategic merge patches: send application/apply-patch+yaml, \
             application/merge-patch+json or application/json-patch+json"
                .into(),
        )),
        _ => Err(unsupported("415: Unsupported Media Type".into()).with(Details::default())),
    }
}

/// An apply whose body is not JSON.
pub(super) fn not_json_apply() -> ApiError {
    unsupported("the sandbox reads an apply patch in JSON, which is YAML; it does not read other YAML".into())
}

fn media(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unknown_format(known: &[&str]) -> String {
    format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        known.join(", ")
    )
}

fn unsupported(message: String) -> ApiError {
    ApiError::new(415, "UnsupportedMediaType", message)
}
