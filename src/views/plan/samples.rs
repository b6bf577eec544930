//! Plans built by hand, for the tests of the human and the JSON view.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::address::{Address, ObjectKey};
use crate::cluster::{ClusterIdentity, IdentityKind};
use crate::diag::{Diagnostic, Diagnostics};
use crate::path::FieldPath;
use crate::plan::{
    Action, Change, Fidelity, FieldCause, FieldChange, NotOurs, NotReady, Plan, Reach, ReachItem, Risk,
    Shown, TargetCluster, Write,
};

pub(in crate::views) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(in crate::views) fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

fn path(text: &str) -> FieldPath {
    text.parse().unwrap()
}

pub(in crate::views) fn change(at: &str, object: &str, action: Action) -> Change {
    Change { fidelity: Fidelity::Server, timeout: 300, ..Change::new(address(at), key(object), action) }
}

#[expect(clippy::unnecessary_wraps, reason = "what it is assigned to is optional")]
fn write(body: Value) -> Option<Write> {
    Some(Write {
        body,
        unknown: BTreeSet::new(),
        secret: BTreeSet::new(),
        force: Vec::new(),
        remove: Vec::new(),
        adopt_managers: Vec::new(),
    })
}

fn field(at: &str, before: Shown, after: Shown, cause: FieldCause) -> FieldChange {
    FieldChange { path: path(at), before, after, cause }
}

fn plain(value: Value) -> Shown {
    Shown::Plain(value)
}

pub(in crate::views) fn plan(serial: u64, changes: Vec<Change>) -> Plan {
    Plan {
        stack: "arr".into(),
        cluster: TargetCluster {
            context: Some("cozy".into()),
            server: "https://10.0.0.10:6443".into(),
            sandbox: false,
            identity: ClusterIdentity { kind: IdentityKind::KubeSystemUid, id: "0b5d3c1e".into() },
            version: "v1.37.1".into(),
        },
        lineage: "5f0c8a52".into(),
        serial,
        destroy: false,
        returns_to: None,
        forward_from: None,
        only: None,
        changes,
        not_ours: Vec::new(),
        left_behind: Vec::new(),
        problems: Diagnostics::default(),
        outputs: BTreeMap::new(),
    }
}

const HR: &str = "HelmRelease.helm.toolkit.fluxcd.io/tenant-media/arr-stack";
const GIT: &str = "GitRepository.source.toolkit.fluxcd.io/cozy-public/external-arr-stack";
const PVC: &str = "PersistentVolumeClaim/tenant-media/media-pvc";
const SECRET: &str = "Secret/tenant-media/arr-secrets";
const NS: &str = "Namespace/tenant-media";

pub(in crate::views) fn first() -> Plan {
    let mut namespace = change("namespace.tenant-media", NS, Action::Create);
    namespace.protect = true;
    namespace.write =
        write(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant-media"}}));
    let mut git = change("git_repository.external-arr-stack", GIT, Action::Create);
    git.write = write(
        json!({"kind": "GitRepository", "spec": {"interval": "5m", "url": "https://github.com/example/catalog.git", "ref": {"branch": "main"}}}),
    );
    let mut claim = change("persistent_volume_claim.media-pvc", PVC, Action::Create);
    claim.protect = true;
    claim.fidelity = Fidelity::StandIn;
    claim.fidelity_reason = Some("its namespace is made by this plan".into());
    claim.write = write(
        json!({"kind": "PersistentVolumeClaim", "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "replicated", "resources": {"requests": {"storage": "500Gi"}}}}),
    );
    let mut secret = change("secret.arr-secrets", SECRET, Action::Create);
    secret.fidelity = Fidelity::StandIn;
    secret.fidelity_reason = Some("its namespace is made by this plan".into());
    secret.notes = vec!["3 values are drawn at apply and live in the cluster only".into()];
    secret.write = write(
        json!({"kind": "Secret", "data": {"sonarr-api-key": "Y2FuYXJ5", "radarr-api-key": "Y2FuYXJ5", "prowlarr-api-key": "Y2FuYXJ5"}}),
    );
    if let Some(write) = &mut secret.write {
        write.unknown = [path("data.drawn-later")].into();
    }
    if let Some(write) = &mut claim.write {
        write.unknown = [path("metadata.annotations.owner"), path("spec.volumes[0].name")].into();
    }
    let mut release = change("helm_release.arr-stack", HR, Action::Create);
    release.fidelity = Fidelity::Offline;
    release.fidelity_reason =
        Some("the cluster does not know HelmRelease yet; kustomization.flux brings it".into());
    release.write = write(
        json!({"kind": "HelmRelease", "spec": {"chart": {"spec": {"chart": "./packages/apps/arr-stack", "sourceRef": {"kind": "GitRepository", "name": "external-arr-stack", "namespace": "cozy-public"}}}}}),
    );
    release.location = Some("stacks/arr.toml:83".into());
    release.depends_on = [
        (address("namespace.tenant-media"), "lies in it".to_owned()),
        (address("secret.arr-secrets"), "spec.valuesFrom[0].name".to_owned()),
    ]
    .into();
    release.after = [0, 3].into();
    plan(0, vec![namespace, git, claim, secret, release])
}

pub(in crate::views) fn update() -> Plan {
    let mut release = change("helm_release.arr-stack", HR, Action::Update);
    release.risk = Risk::Disruptive;
    release.fields = vec![
        field("spec.suspend", plain(json!(true)), Shown::Absent, FieldCause::Stack),
        field("spec.values.radarr.enabled", plain(json!("false")), plain(json!(false)), FieldCause::Stack),
        field(
            "spec.values.sonarr.annotations[\"example.org/a-long-annotation-key\"]",
            Shown::Absent,
            plain(json!("with a value that needs a line of its own")),
            FieldCause::Stack,
        ),
        field(
            "spec.values.sonarr.persistence.config.size",
            plain(json!("1Gi")),
            plain(json!("5Gi")),
            FieldCause::Stack,
        ),
        field(
            "spec.values.sonarr.hosts",
            plain(json!(["sonarr.media.cozy.example.org", "tv.media.cozy.example.org"])),
            plain(json!(["sonarr.media.cozy.example.org", "series.media.cozy.example.org"])),
            FieldCause::Stack,
        ),
    ];
    let mut config = change("config_map.scripts", "ConfigMap/tenant-media/scripts", Action::Update);
    let old: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
    let mut new = old.clone();
    new[2] = "line three ".into();
    new[17] = "\u{1b}[31mline 18\u{202e}".into();
    config.fields = vec![
        field(
            "data[\"run.sh\"]",
            plain(json!(format!("{}\n", old.join("\n")))),
            plain(json!(new.join("\n"))),
            FieldCause::Stack,
        ),
        field("data.token", plain(json!("x".repeat(100))), plain(json!("y".repeat(500))), FieldCause::Stack),
    ];
    let mut secret = change("secret.arr-secrets", SECRET, Action::Update);
    secret.fields = vec![
        field("data.sonarr-api-key", Shown::Masked, Shown::Masked, FieldCause::Stack),
        field("data.new-key", Shown::Absent, Shown::KnownAfterApply, FieldCause::Stack),
        field("data.old-key", Shown::Masked, Shown::Absent, FieldCause::Stack),
        field("data.from-command", Shown::Masked, Shown::NotRead, FieldCause::Stack),
    ];
    secret.notes = vec!["rotated: helm_release.arr-stack and deployment.web use it".into()];
    let mut calm = change("namespace.tenant-media", NS, Action::NoOp);
    calm.unchanged_since = Some(7);
    let mut plan = plan(
        7,
        vec![calm, secret, config, release, change("config_map.x", "ConfigMap/tenant-media/x", Action::NoOp)],
    );
    plan.outputs = [("sonarr".to_owned(), plain(json!("https://sonarr.media.cozy.example.org")))].into();
    plan
}

pub(in crate::views) fn drift() -> Plan {
    let by =
        |manager: &str, time: &str| FieldCause::Drift { manager: manager.into(), time: Some(time.into()) };
    let mut namespace = change("namespace.tenant-media", NS, Action::Update);
    namespace.fields = vec![field(
        "metadata.labels[\"cozystack.io/tenant\"]",
        plain(json!("false")),
        plain(json!("true")),
        by("kubectl-edit", "2026-11-22T09:00:00Z"),
    )];
    let mut deployment = change("deployment.web", "Deployment.apps/tenant-media/web", Action::Update);
    deployment.fields = vec![
        field("spec.replicas", plain(json!(0)), plain(json!(2)), FieldCause::DriftUnrecorded),
        field(
            "spec.template.spec.containers[name=app].image",
            plain(json!("ghcr.io/x/app:1")),
            plain(json!("ghcr.io/x/app:2")),
            FieldCause::CoOwned { manager: "kubectl-client-side-apply".into() },
        ),
        field(
            "metadata.labels.team",
            plain(json!("media")),
            Shown::Absent,
            FieldCause::Stays { managers: vec!["k9s".into(), "Lens".into()] },
        ),
        field(
            "spec.paused",
            plain(json!(true)),
            plain(json!(false)),
            FieldCause::Taken { manager: "hpa".into() },
        ),
        field("spec.strategy.type", plain(json!("Recreate")), plain(json!("Recreate")), FieldCause::Owned),
    ];
    deployment.risk = Risk::Disruptive;
    let mut gone = change("secret.arr-secrets", SECRET, Action::Create);
    gone.reason = Some("deleted outside".into());
    gone.write = write(json!({"kind": "Secret", "type": "kubernetes.io/tls", "data": {"tls.crt": "eA=="}}));
    let mut plan = plan(1, vec![namespace, gone, deployment]);
    plan.not_ours = vec![
        NotOurs {
            address: address("helm_release.arr-stack"),
            path: path("spec.suspend"),
            value: plain(json!(true)),
            manager: "k9s".into(),
            time: Some("2026-11-21T22:14:00Z".into()),
            effect: Some("while it stands this plan has no effect".into()),
        },
        NotOurs {
            address: address("namespace.tenant-media"),
            path: path("metadata.annotations[\"example.org/note\"]"),
            value: plain(json!("seen \u{1b}[2J by ops")),
            manager: "kubectl-annotate".into(),
            time: None,
            effect: None,
        },
    ];
    plan
}

pub(in crate::views) fn contested() -> Plan {
    let mut deployment = change("deployment.web", "Deployment.apps/tenant-media/web", Action::Update);
    deployment.fields = vec![field("spec.replicas", plain(json!(5)), plain(json!(2)), FieldCause::Stack)];
    let mut plan = plan(3, vec![deployment]);
    plan.problems.push(
        Diagnostic::error(
            "E404",
            "deployment.web: spec.replicas belongs to kube-controller-manager (subresource scale)",
        )
        .note("the stack says 2, the cluster has 5; a HorizontalPodAutoscaler sets it")
        .help("leave it to them:  ignore = [\"spec.replicas\"]  in [deployment.web]")
        .help("drop it from the stack")
        .help("take it:  arrplan apply --take deployment.web.spec.replicas"),
    );
    plan.problems.push(Diagnostic::warning(
        "W101",
        "secret.arr-secrets is protected and no longer in the stack: it is kept",
    ));
    plan
}

pub(in crate::views) fn adopt_and_replace() -> Plan {
    let mut adopt = change("config_map.settings", "ConfigMap/tenant-media/settings", Action::Adopt);
    adopt.reason = Some("recreated outside".into());
    adopt.fields = vec![field("data.greeting", plain(json!("hi")), plain(json!("hello")), FieldCause::Stack)];
    let mut replace = change("service.web", "Service/tenant-media/web", Action::Replace);
    replace.risk = Risk::Disruptive;
    replace.reason = Some("spec.clusterIP is immutable".into());
    replace.fields =
        vec![field("spec.clusterIP", plain(json!("10.96.0.7")), plain(json!("None")), FieldCause::Stack)];
    replace.notes = vec!["spec.clusterIP: Invalid value: [\"None\"]: may not change once set".into()];
    replace.write = write(
        json!({"kind": "Service", "spec": {"clusterIP": "None", "ports": [{"port": 80}, {"port": 443}]}}),
    );
    let mut reinstall = change("helm_release.arr-stack", HR, Action::Update);
    reinstall.reinstalls = true;
    reinstall.risk = Risk::DataLoss;
    reinstall.fields = vec![field("spec.releaseName", Shown::Absent, plain(json!("arr")), FieldCause::Stack)];
    reinstall.reach = release_reach();
    let mut moved = change("config_map.b", "ConfigMap/tenant-media/b", Action::NoOp);
    moved.moved_from = Some(address("config_map.a"));
    let mut former = change("config_map.c", "ConfigMap/tenant-media/old-name", Action::Delete);
    former.former = true;
    let mut instance = change(
        "helm_release.app[\"sonarr\"]",
        "HelmRelease.helm.toolkit.fluxcd.io/tenant-media/tv",
        Action::Create,
    );
    instance.write = write(
        json!({"kind": "HelmRelease", "spec": {"chartRef": {"kind": "OCIRepository", "name": "charts"}}}),
    );
    instance.fidelity = Fidelity::Schema;
    instance.fidelity_reason = Some("no right to dry-run (verb patch)".into());
    let mut forget = change("secret.old", "Secret/tenant-media/old", Action::Forget);
    forget.reason = Some("[[removed]] destroy = false".into());
    forget.notes = vec!["its fields belong to kubectl from now on".into()];
    plan(12, vec![adopt, replace, reinstall, moved, instance, former, forget])
}

fn release_reach() -> Reach {
    let item = |object: &str, risk, detail: &str| ReachItem {
        key: key(object),
        uid: None,
        risk,
        detail: detail.into(),
    };
    let mut items = Vec::new();
    for app in ["prowlarr", "radarr", "sonarr"] {
        items.push(item(&format!("Deployment.apps/tenant-media/{app}"), Risk::Disruptive, ""));
        items.push(item(&format!("Service/tenant-media/{app}"), Risk::Safe, ""));
        items.push(item(&format!("Ingress.networking.k8s.io/tenant-media/{app}"), Risk::Safe, ""));
        let detail = "1Gi replicated (reclaim policy Delete)";
        items.push(item(&format!("PersistentVolumeClaim/tenant-media/{app}-config"), Risk::DataLoss, detail));
    }
    Reach {
        items,
        unreadable: Vec::new(),
        stays: vec!["Job tenant-media/arr-stack-hook: made by a hook".into()],
    }
}

pub(in crate::views) fn destroy() -> Plan {
    let mut release = change("helm_release.arr-stack", HR, Action::Delete);
    release.risk = Risk::DataLoss;
    release.reason = Some("uninstalled".into());
    release.reach = release_reach();
    let mut scratch = change(
        "persistent_volume_claim.scratch[\"a b\"]",
        "PersistentVolumeClaim/tenant-media/scratch",
        Action::Delete,
    );
    scratch.risk = Risk::DataLoss;
    scratch.reach.items = vec![ReachItem {
        key: scratch.key.clone(),
        uid: Some("u1".into()),
        risk: Risk::DataLoss,
        detail: "20Gi local (reclaim policy Delete)".into(),
    }];
    let mut other = change("namespace.scratch", "Namespace/scratch", Action::Delete);
    other.risk = Risk::DataLoss;
    other.reach.unreadable = vec!["backups.example.org: forbidden".into()];
    other.reach.items = (0..14)
        .map(|n| ReachItem {
            key: ObjectKey::new("", "ConfigMap", Some("scratch"), &format!("notes-{n:02}")),
            uid: None,
            risk: Risk::DataLoss,
            detail: "not ours".into(),
        })
        .collect();
    let mut claim = change("persistent_volume_claim.media-pvc", PVC, Action::Keep);
    claim.reason = Some("protected, stacks/arr.toml:39".into());
    claim.protect = true;
    let mut namespace = change("namespace.tenant-media", NS, Action::Keep);
    namespace.reason = Some("it holds persistent_volume_claim.media-pvc".into());
    let mut plan = plan(
        3,
        vec![
            release,
            change("git_repository.external-arr-stack", GIT, Action::Delete),
            change("secret.arr-secrets", SECRET, Action::Delete),
            scratch,
            other,
            claim,
            namespace,
        ],
    );
    plan.destroy = true;
    plan.left_behind = vec![
        "Secret tenant-media/sonarr-tls (cert-manager)".into(),
        "Secret tenant-media/radarr-tls (cert-manager)".into(),
        "DNS records of external-dns".into(),
    ];
    plan
}

pub(in crate::views) fn not_ready() -> Plan {
    let mut release = change("helm_release.arr-stack", HR, Action::NoOp);
    release.not_ready = Some(NotReady {
        reason: "SourceNotReady".into(),
        since: Some("2026-11-22T11:48:00Z".into()),
        chain: vec![
            (key(HR), "SourceNotReady".into(), "HelmChart 'cozy-public/tenant-media-arr-stack' is not ready".into()),
            (
                key("HelmChart.source.toolkit.fluxcd.io/cozy-public/tenant-media-arr-stack"),
                "InvalidChartReference".into(),
                "failed to locate chart: no chart found at path 'arr-stack' in artifact main@sha1:3f2a91c\u{1b}[0m".into(),
            ),
        ],
    });
    let mut calm = change("namespace.tenant-media", NS, Action::NoOp);
    calm.unchanged_since = Some(2);
    plan(2, vec![calm, release])
}

pub(in crate::views) fn nothing() -> Plan {
    let calm = |at: &str, object: &str| {
        let mut change = change(at, object, Action::NoOp);
        change.unchanged_since = Some(4);
        change
    };
    plan(4, vec![calm("namespace.tenant-media", NS), calm("helm_release.arr-stack", HR)])
}
