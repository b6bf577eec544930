//! Tables that hold resources and `existing` objects by their local names.

use crate::address::Address;
use crate::diag::{Diagnostic, Span};

use super::decl::{Collector, Decl};
use super::kinds;
use super::names;
use super::syntax::{Key, Node, Raw, Table};

impl Collector<'_, '_> {
    pub(super) fn local_name(&mut self, table: &str, key: &Key) {
        let mended: String =
            key.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        let mut diagnostic = Diagnostic::error("E014", format!("`{}` is not a local name", key.name))
            .at(key.span.clone(), "")
            .help("a local name is made of letters, digits, `_` and `-`");
        if names::is_local(&mended) && kinds::is_resource_table(table) {
            diagnostic = diagnostic.help(format!("write `[{table}.{mended}]` and `name = \"{}\"`", key.name));
        }
        self.diags.push(diagnostic);
    }

    pub(super) fn unknown_default(&mut self, key: &Key) {
        let mut diagnostic = Diagnostic::error("E009", format!("`{}` is not a table of resources", key.name))
            .at(key.span.clone(), "");
        if let Some(meant) = kinds::nearest_table(&key.name) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?"));
        }
        self.diags.push(diagnostic);
    }

    pub(super) fn resources(&mut self, table_key: &Key, node: Node) {
        let table = table_key.name.clone();
        let Some(entries) = self.bodies(table_key, node, &format!("[{table}.NAME]")) else {
            return;
        };
        for (key, span, body) in entries {
            let address = Address::new(table.as_str(), key.name.as_str());
            if let Some(first) = self.document.resources.get(&address) {
                let first = first.span.clone();
                self.twice(&format!("`{address}`"), span, first);
                continue;
            }
            self.document.resources.insert(address, Decl { span, body });
        }
    }

    /// The tables below a table of resources; a scalar there means that the local name was left out.
    fn bodies(&mut self, table: &Key, node: Node, header: &str) -> Option<Vec<(Key, Span, Table)>> {
        let place = self.place(table, &node);
        if let Raw::List(_) = node.raw {
            self.diags.push(
                Diagnostic::error("E011", format!("`{}` holds resources by name, it is no list", table.name))
                    .at(node.span, "")
                    .help(format!("write `{header}`")),
            );
            return None;
        }
        let entries = self.table(table, node)?.entries;
        let loose = entries.iter().find(|(_, node)| !matches!(node.raw, Raw::Table(_) | Raw::Bad));
        if let Some((key, _)) = loose {
            self.diags.push(
                Diagnostic::error("E011", format!("`{}` needs a local name for the resource", table.name))
                    .at(place, "")
                    .at(key.span.clone(), format!("`{}` is read as the name of a resource", key.name))
                    .help(format!("write `{header}`; the local name is what other resources refer to")),
            );
            return None;
        }
        let mut found = Vec::new();
        for (key, node) in entries {
            let span = self.place(&key, &node);
            if !names::is_local(&key.name) {
                if !matches!(node.raw, Raw::Bad) {
                    self.local_name(&table.name, &key);
                }
                continue;
            }
            if let Raw::Table(body) = node.raw {
                found.push((key, span, body));
            }
        }
        Some(found)
    }

    pub(super) fn existing(&mut self, key: &Key, node: Node) {
        let Some(tables) = self.table(key, node) else {
            return;
        };
        for (table, node) in tables.entries {
            if !kinds::is_resource_table(&table.name) {
                self.unknown_default(&table);
                continue;
            }
            let header = format!("[existing.{}.NAME]", table.name);
            for (name, span, body) in self.bodies(&table, node, &header).unwrap_or_default() {
                let address = Address::new(table.name.as_str(), name.name.as_str());
                if let Some(first) = self.document.existing.get(&address) {
                    let first = first.span.clone();
                    self.twice(&format!("`existing.{address}`"), span, first);
                    continue;
                }
                let mut allowed = vec!["name", "namespace", "wait", "timeout", "apiVersion"];
                if table.name == kinds::MANIFEST {
                    allowed.push("kind");
                }
                self.closed(&format!("`existing.{address}`"), &body, &allowed);
                self.document.existing.insert(address, Decl { span, body });
            }
        }
    }
}
