//! Paths and queries of the Kubernetes API.

use super::{Api, Error};

/// Path of a group and version: `/api/v1`, `/apis/apps/v1`.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{}", encode(version))
    } else {
        format!("/apis/{}/{}", encode(group), encode(version))
    }
}

/// Path of all objects of a kind, in one namespace if it has them and one is named.
pub(crate) fn collection(api: &Api, namespace: Option<&str>) -> String {
    let root = group_version(&api.group, &api.version);
    match namespace.filter(|n| api.namespaced && !n.is_empty()) {
        Some(namespace) => format!("{root}/namespaces/{}/{}", encode(namespace), encode(&api.plural)),
        None => format!("{root}/{}", encode(&api.plural)),
    }
}

/// Path of one object.
///
/// # Errors
/// A name that is empty, or no namespace for a namespaced kind: the path would be another's.
pub(crate) fn object(api: &Api, namespace: Option<&str>, name: &str) -> Result<String, Error> {
    if name.is_empty() || (api.namespaced && namespace.is_none_or(str::is_empty)) {
        let key = api.key(namespace, name);
        return Err(Error::BadRequest(format!("{key} names no object: name or namespace is missing")));
    }
    Ok(format!("{}/{}", collection(api, namespace), encode(name)))
}

/// A query string that grows; `?` and `&` are its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(key);
        self.0.push('=');
        self.0.push_str(&encode(value));
        self
    }

    pub(crate) fn maybe(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    pub(crate) fn on(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters and `:`, which RBAC names hold.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    // A segment of dots alone would be another path to any server that normalises.
    if !out.is_empty() && out.bytes().all(|b| b == b'.') {
        return out.replace('.', "%2E");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::{config_maps, namespaces};

    #[test]
    fn paths() {
        assert_eq!(collection(&config_maps(), None), "/api/v1/configmaps");
        assert_eq!(collection(&config_maps(), Some("a")), "/api/v1/namespaces/a/configmaps");
        assert_eq!(collection(&namespaces(), Some("a")), "/api/v1/namespaces");
        assert_eq!(object(&config_maps(), Some("a"), "b").unwrap(), "/api/v1/namespaces/a/configmaps/b");
        assert_eq!(
            object(&config_maps(), Some("a"), "../../nodes?x").unwrap(),
            "/api/v1/namespaces/a/configmaps/..%2F..%2Fnodes%3Fx"
        );
        assert_eq!(object(&namespaces(), None, "..").unwrap(), "/api/v1/namespaces/%2E%2E");
        assert!(object(&config_maps(), None, "b").is_err());
        assert!(object(&namespaces(), None, "").is_err());
        let query = Query::default().with("labelSelector", "a=b,c in (d)").maybe("continue", None);
        assert_eq!(query.on("/x"), "/x?labelSelector=a%3Db%2Cc%20in%20%28d%29");
    }
}
