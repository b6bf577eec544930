//! What forbids a plan, said so that the user can go on.

use std::collections::BTreeSet;

use crate::address::{Address, ObjectKey};
use crate::cluster::{Api, Error};
use crate::diag::Diagnostic;
use crate::graph::{Reason, ReasonKind};
use crate::object::{LINEAGE_ANNOTATION, Mark, STACK_LABEL};
use crate::path::FieldPath;
use crate::plan::Change;
use crate::plan::conflict::{Contest, Owner};
use crate::plan::live::NamespaceState;
use crate::secrets::Redactor;
use crate::stack::{Existing, Resource};

fn of(resource: &Resource, code: &'static str, message: String) -> Diagnostic {
    Diagnostic::error(code, message).at(resource.span.clone(), "")
}

/// Why an edge is there, for people.
pub(super) fn reason(reason: &Reason) -> String {
    match &reason.kind {
        ReasonKind::DependsOn => "depends_on".to_owned(),
        ReasonKind::Reference(field) => format!("refers to its {field}"),
        ReasonKind::Namespace => "lies in it".to_owned(),
        ReasonKind::Definition => "its kind is defined there".to_owned(),
        ReasonKind::Field(field) => field.clone(),
    }
}

pub(super) fn kind_not_served(resource: &Resource) -> Diagnostic {
    let Resource { address, kind, api_version, .. } = resource;
    of(resource, "E302", format!("{address}: this cluster does not serve {kind} of {api_version}"))
        .note("nothing in the plan that it depends on could bring the kind along")
        .help(format!("if a HelmRelease or Kustomization of this stack installs it, say so: depends_on = [\"helm_release.…\"] in [{address}]"))
}

pub(super) fn kind_hidden(address: &Address, key: &ObjectKey, unavailable: &BTreeSet<String>) -> Diagnostic {
    let down: Vec<&str> = unavailable.iter().map(String::as_str).collect();
    let why = if down.is_empty() {
        "whether its definition still exists could not be told".to_owned()
    } else {
        format!("these API groups do not answer now: {}", down.join(", "))
    };
    Diagnostic::error("E307", format!("{address}: {} cannot be looked up", key.human()))
        .note(format!("the kind {} is not served, which does not prove that the object is gone", key.kind))
        .note(why)
        .help("mend the API (`kubectl get apiservices`), then plan again")
}

pub(super) fn scope(resource: &Resource, api: &Api) -> Option<Diagnostic> {
    let address = &resource.address;
    match (api.namespaced, &resource.namespace) {
        (true, None) => Some(
            of(
                resource,
                "E303",
                format!("{address}: {} is namespaced, and no namespace is given", api.kind),
            )
            .help("add namespace = \"…\" to it; [defaults] namespace goes only to kinds that are known without a cluster"),
        ),
        (false, Some(namespace)) => Some(
            of(
                resource,
                "E303",
                format!(
                    "{address}: {} is cluster-scoped, but namespace {namespace} is given",
                    api.kind
                ),
            )
            .help("take the namespace out"),
        ),
        _ => None,
    }
}

pub(super) fn unreadable(resource: &Resource, error: &Error, redactor: &Redactor) -> Diagnostic {
    let text = redactor.redact(&error.to_string()).into_owned();
    let diagnostic =
        of(resource, "E304", format!("{}: {} could not be read", resource.address, resource.key().human()))
            .note(text);
    match error {
        Error::Nonsense(_) => diagnostic
            .help("something else answers in place of the API server, as login pages and proxies do: look at the server of the context"),
        _ => diagnostic.help("`arrplan help rbac` prints the rights a plan needs"),
    }
}

pub(super) fn no_namespace(resource: &Resource, name: &str, state: &NamespaceState) -> Diagnostic {
    let what = match state {
        NamespaceState::Terminating => "is being deleted",
        _ => "does not exist",
    };
    of(
        resource,
        "E305",
        format!("{}: namespace {name} {what}, and nothing in the plan makes it", resource.address),
    )
    .help(format!("declare it: [namespace.{name}]"))
    .help("or name what makes it: depends_on = [\"tenant.…\"], or the HelmRelease or Kustomization that does")
}

pub(super) fn appeared(resource: &Resource) -> Diagnostic {
    of(resource, "E306", format!("{}: {} appeared while planning", resource.address, resource.key().human()))
        .help("plan again")
}

pub(super) fn existing_absent(existing: &Existing) -> Diagnostic {
    let Existing { address, kind, name, .. } = existing;
    let place = existing.namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
    Diagnostic::warning("E308", format!("existing.{address}: there is no {kind} {name}{place} yet"))
        .at(existing.span.clone(), "")
        .note("apply waits for it before anything that refers to it, up to its timeout")
}

pub(super) fn other_stack(resource: &Resource, mark: &Mark) -> Diagnostic {
    of(
        resource,
        "E401",
        format!("{}: {} belongs to stack `{}`", resource.address, resource.key().human(), mark.stack),
    )
    .note("two stacks that write one object would remove each other's fields without any conflict being reported")
    .help("take it out of one of the two stacks, or refer to it here as [existing.…]")
}

pub(super) fn other_lineage(resource: &Resource, mark: &Mark, ours: &Mark) -> Diagnostic {
    of(
        resource,
        "E402",
        format!(
            "{}: {} is owned by another state of stack `{}`",
            resource.address,
            resource.key().human(),
            mark.stack
        ),
    )
    .note(format!("it carries lineage {}, the state here has {}", mark.lineage, ours.lineage))
    .help("use the state that owns it: `arrplan state pull` fetches one, --state PATH names one")
    .help("if that state is lost, `arrplan state recover` rebuilds it from the cluster")
}

pub(super) fn needs_adopt(resource: &Resource, owner: &str) -> Diagnostic {
    let address = &resource.address;
    of(resource, "E403", format!("{address}: {} is managed by {owner}", resource.key().human()))
        .note("whatever this plan writes, its manager may change back")
        .help(format!("to take it over all the same: --adopt '{address}'"))
}

pub(super) fn contested(
    resource: &Resource,
    path: &FieldPath,
    owner: &Owner,
    contest: Contest,
    adopting: bool,
) -> Diagnostic {
    let address = &resource.address;
    let manager = &owner.manager;
    let since = owner.time.as_ref().map(|time| format!(" since {time}")).unwrap_or_default();
    let why = match contest {
        Contest::Applied => format!("{manager} declares it by server-side apply{since}"),
        Contest::Subresource => {
            format!("{manager} writes it through a subresource{since}, as autoscalers do")
        }
        Contest::NeverOurs => format!("{manager} set it{since}, and it was never ours"),
        Contest::Fight => format!("{manager} changed it again{since} after it was taken back once"),
        Contest::Replicas => "the number of replicas was changed outside, by whom is not recorded".to_owned(),
    };
    let span = resource.spans.get(path).unwrap_or(&resource.span).clone();
    let diagnostic = Diagnostic::error("E404", format!("{address}: {path} is somebody else's")).at(span, why);
    let ignore =
        format!("leave it to them: ignore = [\"{}\"] in [{address}]", path.to_string().replace('"', "\\\""));
    let drop = "or take it out of the stack".to_owned();
    let take = if adopting {
        format!("take the whole object over: --adopt '{address}'")
    } else {
        format!("take it: --take '{address}.{path}'")
    };
    match contest {
        Contest::Subresource | Contest::Replicas => diagnostic.help(ignore).help(take).help(drop),
        _ => diagnostic.help(take).help(ignore).help(drop),
    }
}

pub(super) fn rejected(resource: &Resource, text: &str) -> Diagnostic {
    of(resource, "E405", format!("{}: the server rejects it", resource.address)).note(text)
}

pub(super) fn unfit(resource: &Resource, line: &str, definition: &str) -> Diagnostic {
    of(resource, "E415", format!("{}: it does not fit the schema of its kind", resource.address))
        .note(line.to_owned())
        .note(format!("the schema is that of {definition}"))
}

pub(super) fn admission(resource: &Resource, text: &str) -> Diagnostic {
    of(resource, "E406", format!("{}: admission refuses it", resource.address))
        .note(text)
        .help("a policy, quota or webhook of the cluster said no: change what it names, or ask who runs it")
}

pub(super) fn immutable(resource: &Resource, text: &str) -> Diagnostic {
    let address = &resource.address;
    of(resource, "E407", format!("{address}: this cannot change in place"))
        .note(text)
        .help(format!(
            "to delete it and make it anew, with what that loses: on_immutable = \"replace\" in [{address}]"
        ))
        .help("or take the change back")
}

pub(super) fn protected_replace(resource: &Resource, text: &str) -> Diagnostic {
    of(resource, "E407", format!("{}: this cannot change in place, and it is protected", resource.address))
        .note(text)
        .help("lift the protection first (protect = false, apply), or take the change back")
}

/// What is made anew, or uninstalled and installed anew, would take something along that must stay.
pub(super) fn must_stay(change: &Change, why: &str) -> Diagnostic {
    let how = if change.reinstalls { "uninstalled and installed anew" } else { "deleted and made anew" };
    Diagnostic::error("E407", format!("{}: it would be {how}, and {why}", change.address))
        .help("lift the protection first (protect = false, apply), or take the change back")
}

/// What is made anew is deleted first, and what does not carry our mark never is: somebody took it off, or it was
/// never ours.
pub(super) fn unmarked_replace(resource: &Resource, mark: &Mark, was_ours: bool, text: &str) -> Diagnostic {
    let key = resource.key();
    let is = if was_ours { "does not carry the mark of this stack any more" } else { "is not ours" };
    let refusal = of(
        resource,
        "E407",
        format!("{}: it would have to be made anew, and {} {is}", resource.address, key.human()),
    );
    let refusal = if text.is_empty() { refusal } else { refusal.note(text) };
    let place = key.namespace.as_ref().map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
    let group = if key.group.is_empty() { String::new() } else { format!(".{}", key.group) };
    let object = format!("{}{group}/{}", key.kind.to_lowercase(), key.name);
    refusal
        .help(format!(
            "if it may be deleted, say that it is this stack's: kubectl {place}label {object} {STACK_LABEL}={}, and \
             kubectl {place}annotate {object} {LINEAGE_ANNOTATION}={}",
            mark.stack, mark.lineage
        ))
        .help("else give yours another name, or take the change back")
}

pub(super) fn claim_in_use(resource: &Resource, pods: &[String]) -> Diagnostic {
    of(resource, "E408", format!("{}: the claim is in use and cannot be replaced", resource.address))
        .note(format!("mounted by {}", pods.join(", ")))
        .help("stop these pods first; copy the data before, a replaced claim starts empty")
}

pub(super) fn no_delete(address: &Address, key: &ObjectKey) -> Diagnostic {
    Diagnostic::error(
        "E409",
        format!("{address}: {} is labelled platform.cozystack.io/no-delete", key.human()),
    )
    .note("Cozystack's admission denies the delete")
    .help("to stop owning it and leave it: [[removed]] with destroy = false")
}

pub(super) fn suspended(address: &Address, key: &ObjectKey) -> Diagnostic {
    Diagnostic::error("E411", format!("{address}: {} is suspended and would not be uninstalled", key.human()))
        .note("a suspended release or Kustomization is deleted without what it installed: all of that would be left behind, owned by nobody")
        .help("resume it first (spec.suspend = false), then delete")
}

pub(super) fn controller_down(address: &Address, key: &ObjectKey, controller: &str) -> Diagnostic {
    Diagnostic::error("E412", format!("{address}: {} cannot be deleted now", key.human()))
        .note(format!("its finalizer is removed by {controller}, which is not available"))
        .help("bring the controller back first; finalizers are never stripped")
}

pub(super) fn nothing_named(flag: &str, address: &Address) -> Diagnostic {
    Diagnostic::error("E413", format!("{flag} {address}: no such resource in the plan"))
}

pub(super) fn fidelity(address: &Address, reason: &str) -> Diagnostic {
    Diagnostic::error("E414", format!("{address}: not checked as far as --min-fidelity asks"))
        .note(reason.to_owned())
}

pub(super) fn other_cluster(state: &str, cluster: &str) -> Diagnostic {
    Diagnostic::error("E510", "the state is about another cluster")
        .note(format!("the state records {state}, this cluster is {cluster}"))
        .help("choose the right one with --context, or a state of its own with --env or --state")
}
