//! What is wanted: a stack of few kinds, few names and few values, so that names are used again and meet each other.

use std::collections::{BTreeMap, BTreeSet};

/// Kinds of declarations, in the order in which they may need each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Namespace,
    /// The CRD of [`Kind::Gear`].
    Definition,
    Map,
    /// A `ConfigMap` that is immutable and may be replaced.
    Sealed,
    /// With a generated key and one from the environment.
    Secret,
    Service,
    Claim,
    /// A custom resource.
    Gear,
}

/// The namespace that is there from the start and never in the stack.
pub(crate) const MAIN: &str = "main";
/// The namespace that the stack may have.
pub(crate) const EXTRA: &str = "extra";
/// The name of the CRD.
pub(crate) const GEARS: &str = "gears.machine.test";

impl Kind {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Definition => "custom_resource_definition",
            Self::Map | Self::Sealed => "config_map",
            Self::Secret => "secret",
            Self::Service => "service",
            Self::Claim => "persistent_volume_claim",
            Self::Gear => "manifest",
        }
    }

    /// Kind and group as object keys have them.
    pub(crate) fn of_key(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::Definition => "CustomResourceDefinition.apiextensions.k8s.io",
            Self::Map | Self::Sealed => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::Claim => "PersistentVolumeClaim",
            Self::Gear => "Gear.machine.test",
        }
    }

    /// The name of one of its objects. What is sealed cannot become a map in place, so that the two never meet.
    fn object(self, number: u8) -> String {
        if self == Self::Sealed { format!("s{number}") } else { format!("o{number}") }
    }

    pub(crate) fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::Definition)
    }
}

/// How one declaration needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// `depends_on`.
    Order,
    /// An annotation with the other's name.
    Name,
    /// An annotation with the other's uid, which is known after apply.
    Uid,
}

/// One declaration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decl {
    pub(crate) kind: Kind,
    /// Name in the stack.
    pub(crate) local: String,
    /// Name in the cluster.
    pub(crate) object: String,
    /// Whether it lies in [`EXTRA`].
    pub(crate) extra: bool,
    /// It may need what has a lower one.
    pub(crate) rank: u32,
    /// Which of `k0`, `k1`, `k2` it has.
    pub(crate) keys: u8,
    pub(crate) value: u8,
    pub(crate) protect: bool,
    /// `wait = "applied"`.
    pub(crate) applied: bool,
    pub(crate) needs: BTreeMap<String, Edge>,
}

impl Decl {
    pub(crate) fn address(&self) -> String {
        format!("{}.{}", self.kind.table(), self.local)
    }

    /// The object key in arrplan's own notation.
    pub(crate) fn key(&self) -> String {
        let of_key = self.kind.of_key();
        match self.kind {
            Kind::Namespace | Kind::Definition => format!("{of_key}/{}", self.object),
            _ => format!("{of_key}/{}/{}", self.namespace(), self.object),
        }
    }

    pub(crate) fn namespace(&self) -> &'static str {
        if self.extra { EXTRA } else { MAIN }
    }
}

/// A declaration as it is drawn: small numbers, made into names here.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) local: u8,
    pub(crate) object: u8,
    pub(crate) extra: bool,
    pub(crate) keys: u8,
    pub(crate) value: u8,
    pub(crate) protect: bool,
    pub(crate) applied: bool,
    pub(crate) needs: u8,
}

/// How a declaration leaves or gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Just so: a removed one is deleted, a renamed one is known by its object.
    Plain,
    /// `[[removed]] destroy = false`; `[[moved]]`.
    Said,
    /// `[[moved]]`, and the object's name changes as well.
    SaidAnew,
}

/// An edit of the stack. Declarations are named by number, modulo how many there are, so that every edit fits every stack.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Add(Draft),
    Change {
        at: u8,
        value: u8,
        keys: u8,
    },
    Protect {
        at: u8,
        protect: bool,
    },
    Remove {
        at: u8,
        how: How,
    },
    Rename {
        at: u8,
        local: u8,
        how: How,
    },
    /// The same address, another object.
    Exchange {
        at: u8,
        object: u8,
    },
    /// Two declarations of one kind change objects.
    Swap {
        at: u8,
    },
    Rewire {
        at: u8,
        needs: u8,
    },
    /// As `state mv` needs it: another name, and nothing said.
    Move {
        at: u8,
        local: u8,
    },
}

/// The stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Intent {
    pub(crate) decls: BTreeMap<String, Decl>,
    pub(crate) moved: Vec<(String, String)>,
    pub(crate) released: BTreeSet<String>,
    /// What the last [`Edit::Move`] renamed.
    pub(crate) last_move: Option<(String, String)>,
    /// Whether the history begins with an apply.
    pub(crate) begins_applied: bool,
    next_rank: u32,
}

impl Intent {
    pub(crate) fn of(drafts: &[Draft], begins_applied: bool) -> Self {
        let mut intent = Self { begins_applied, ..Self::default() };
        for draft in drafts {
            intent.edit(&Edit::Add(draft.clone()));
        }
        intent
    }

    /// Nothing at all, as `destroy` wants it.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// What a revision of this stack is: no moves, nothing released.
    pub(crate) fn recorded(&self) -> Self {
        Self { moved: Vec::new(), released: BTreeSet::new(), last_move: None, ..self.clone() }
    }

    pub(crate) fn nth(&self, at: u8) -> Option<&Decl> {
        self.decls.values().nth(usize::from(at) % self.decls.len().max(1))
    }

    pub(crate) fn keys(&self) -> BTreeMap<String, &Decl> {
        self.decls.values().map(|decl| (decl.key(), decl)).collect()
    }

    pub(crate) fn edit(&mut self, edit: &Edit) {
        self.last_move = None;
        match edit {
            Edit::Add(draft) => self.add(draft),
            Edit::Change { at, value, keys } => self.change(*at, |decl| {
                decl.value = *value;
                decl.keys = *keys;
            }),
            Edit::Protect { at, protect } => {
                self.change(*at, |decl| decl.protect = *protect && decl.kind != Kind::Sealed);
            }
            Edit::Remove { at, how } => {
                if let Some(address) = self.nth(*at).map(Decl::address) {
                    self.remove(&address, *how);
                }
            }
            Edit::Rename { at, local, how } => {
                if let Some((from, to)) = self.rename(*at, *local, *how == How::SaidAnew)
                    && *how != How::Plain
                {
                    self.moved.retain(|(f, t)| ![f, t].iter().any(|one| [&from, &to].contains(one)));
                    self.moved.push((from, to));
                }
            }
            Edit::Exchange { at, object } => {
                if let Some(address) = self.nth(*at).map(Decl::address) {
                    self.exchange(&address, *object);
                }
            }
            Edit::Swap { at } => self.swap(*at),
            Edit::Rewire { at, needs } => {
                if let Some((address, rank)) = self.nth(*at).map(|decl| (decl.address(), decl.rank)) {
                    let needs = self.needs(rank, *needs);
                    self.change(*at, |decl| decl.needs = needs);
                    debug_assert!(self.decls.contains_key(&address));
                }
            }
            Edit::Move { at, local } => self.last_move = self.rename(*at, *local, false),
        }
        let decls = &self.decls;
        self.moved.retain(|(from, to)| !decls.contains_key(from) && decls.contains_key(to));
        self.released.retain(|address| !decls.contains_key(address));
    }

    fn change(&mut self, at: u8, change: impl FnOnce(&mut Decl)) {
        let address = self.nth(at).map(Decl::address);
        if let Some(decl) = address.and_then(|address| self.decls.get_mut(&address)) {
            change(decl);
        }
    }

    /// Needs among what has a lower rank; each two bits one kind of edge, or none.
    fn needs(&self, rank: u32, bits: u8) -> BTreeMap<String, Edge> {
        let lower = self.decls.values().filter(|decl| decl.rank < rank);
        let mut bits = u32::from(bits);
        let mut needs = BTreeMap::new();
        for decl in lower {
            let edge = [None, Some(Edge::Order), Some(Edge::Name), Some(Edge::Uid)][(bits & 3) as usize];
            if let Some(edge) = edge {
                needs.insert(decl.address(), edge);
            }
            bits >>= 2;
        }
        needs
    }

    fn add(&mut self, draft: &Draft) {
        let kind = draft.kind;
        let is_there = |intent: &Self, kind: Kind| intent.decls.values().any(|decl| decl.kind == kind);
        if !kind.is_namespaced() && is_there(self, kind) {
            return;
        }
        let needed = match kind {
            Kind::Gear => Some(Kind::Definition),
            _ => None,
        };
        let namespace = (kind.is_namespaced() && draft.extra).then_some(Kind::Namespace);
        for needed in needed.into_iter().chain(namespace) {
            if !is_there(self, needed) {
                self.add(&Draft { kind: needed, protect: false, needs: 0, ..draft.clone() });
            }
        }
        let rank = self.next_rank;
        let object = match kind {
            Kind::Namespace => EXTRA.to_owned(),
            Kind::Definition => GEARS.to_owned(),
            _ => kind.object(draft.object),
        };
        let decl = Decl {
            kind,
            local: format!("r{}", draft.local),
            object,
            extra: kind.is_namespaced() && draft.extra,
            rank,
            keys: draft.keys,
            value: draft.value,
            // One that is protected is not replaced.
            protect: draft.protect && kind != Kind::Sealed,
            applied: draft.applied,
            needs: self.needs(rank, draft.needs),
        };
        if !self.decls.contains_key(&decl.address()) && !self.keys().contains_key(&decl.key()) {
            self.next_rank += 1;
            self.decls.insert(decl.address(), decl);
        }
    }

    fn remove(&mut self, address: &str, how: How) {
        let Some(decl) = self.decls.remove(address) else { return };
        if how != How::Plain {
            self.released.insert(address.to_owned());
        }
        let goes_along = |other: &&Decl| match decl.kind {
            Kind::Namespace => other.extra,
            Kind::Definition => other.kind == Kind::Gear,
            _ => false,
        };
        let along: Vec<String> = self.decls.values().filter(goes_along).map(Decl::address).collect();
        for other in along {
            self.remove(&other, how);
        }
        for other in self.decls.values_mut() {
            other.needs.remove(address);
        }
    }

    fn rename(&mut self, at: u8, local: u8, anew: bool) -> Option<(String, String)> {
        let from = self.nth(at)?.address();
        let mut decl = self.decls.get(&from)?.clone();
        decl.local = format!("r{local}");
        let to = decl.address();
        if self.decls.contains_key(&to) {
            return None;
        }
        self.decls.remove(&from);
        self.decls.insert(to.clone(), decl);
        for other in self.decls.values_mut() {
            if let Some(edge) = other.needs.remove(&from) {
                other.needs.insert(to.clone(), edge);
            }
        }
        if anew {
            self.exchange(&to, local);
        }
        Some((from, to))
    }

    fn exchange(&mut self, address: &str, object: u8) {
        let Some(decl) = self.decls.get(address).filter(|decl| decl.kind.is_namespaced()) else { return };
        let changed = Decl { object: decl.kind.object(object), ..decl.clone() };
        if !self.keys().contains_key(&changed.key()) {
            self.decls.insert(address.to_owned(), changed);
        }
    }

    fn swap(&mut self, at: u8) {
        let Some(one) = self.nth(at).cloned() else { return };
        let like =
            |other: &&Decl| other.kind == one.kind && other.extra == one.extra && other.local != one.local;
        let Some(other) = self.decls.values().find(like).cloned() else { return };
        self.decls.insert(one.address(), Decl { object: other.object.clone(), ..one.clone() });
        self.decls.insert(other.address(), Decl { object: one.object, ..other });
    }
}
