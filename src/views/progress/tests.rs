use super::*;
use crate::address::Address;
use crate::apply::{EventKind, Summary};
use crate::plan::Action;
use crate::views::page::Layout;

fn a(text: &str) -> Address {
    text.parse().unwrap()
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Feeds events with their times; a tick every second in between, as the command does.
fn lines(destroy: bool, events: Vec<(u64, EventKind)>) -> String {
    let mut out = Vec::new();
    let mut view = Lines::new(&mut out, Layout::PLAIN, destroy);
    let mut clock = 0;
    for (time, kind) in events {
        while clock + 1000 <= time {
            clock += 1000;
            view.tick(at(clock));
        }
        view.event(&Event { elapsed: at(time), kind });
    }
    String::from_utf8(out).unwrap()
}

fn start(address: &str, action: Action, usual: Option<u64>) -> EventKind {
    EventKind::ChangeStarted { address: a(address), action, usual: usual.map(Duration::from_secs) }
}

fn done(address: &str, action: Action, took: u64, detail: Option<&str>) -> EventKind {
    EventKind::Done { address: a(address), action, took: at(took), detail: detail.map(str::to_owned) }
}

fn waiting(address: &str, what: &str) -> EventKind {
    EventKind::Waiting { address: a(address), what: what.into() }
}

fn finished(done: usize, failed: usize, skipped: usize, interrupted: usize, serial: u64) -> EventKind {
    EventKind::Finished {
        summary: Summary { done, failed, skipped, interrupted, serial, ..Summary::default() },
    }
}

#[test]
fn an_apply_that_works() {
    let text = lines(
        false,
        vec![
            (0, EventKind::Started { total: 5 }),
            (0, start("namespace.tenant-media", Action::Create, None)),
            (0, start("git_repository.external-arr-stack", Action::Create, Some(3))),
            (100, done("namespace.tenant-media", Action::Create, 100, None)),
            (100, start("persistent_volume_claim.media-pvc", Action::Create, None)),
            (100, start("secret.arr-secrets", Action::Create, None)),
            (200, done("secret.arr-secrets", Action::Create, 100, None)),
            (
                2500,
                done("git_repository.external-arr-stack", Action::Create, 2400, Some("main@sha1:3f2a91c")),
            ),
            (3100, done("persistent_volume_claim.media-pvc", Action::Create, 3000, Some("Bound"))),
            (3200, start("helm_release.arr-stack", Action::Create, Some(55))),
            (3300, EventKind::Written { address: a("helm_release.arr-stack") }),
            (
                4000,
                EventKind::Retrying {
                    address: a("helm_release.arr-stack"),
                    why: "429 Too Many Requests".into(),
                    pause: Duration::from_secs(1),
                },
            ),
            (
                9000,
                waiting(
                    "helm_release.arr-stack",
                    "2 of 3 Deployments ready; radarr: pulling image\u{1b}[31m ghcr.io/home-operations/radarr (38s)",
                ),
            ),
            (57_000, done("helm_release.arr-stack", Action::Create, 53_800, Some("arr-stack@0.1.0"))),
            (57_000, finished(5, 0, 0, 0, 1)),
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn one_branch_fails() {
    let text = lines(false, vec![
        (0, EventKind::Started { total: 3 }),
        (0, start("helm_release.arr-stack", Action::Update, None)),
        (6200, EventKind::Failed {
            address: a("helm_release.arr-stack"), action: Action::Update, took: at(6200),
            lines: vec![
                "HelmRelease tenant-media/arr-stack  SourceNotReady".into(),
                "HelmChart cozy-public/tenant-media-arr-stack  InvalidChartReference".into(),
                "  no chart at path \"arr-stack\" in main@3f2a91c, which is a message that is much longer than a line".into(),
            ],
        }),
        (6200, EventKind::Skipped { address: a("ingress.web"), cause: a("helm_release.arr-stack") }),
        (6300, done("config_map.x", Action::Update, 100, None)),
        (6400, finished(1, 1, 1, 0, 2)),
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn interrupted() {
    let text = lines(
        true,
        vec![
            (0, EventKind::Started { total: 3 }),
            (0, start("helm_release.arr-stack", Action::Delete, None)),
            (100, EventKind::Written { address: a("helm_release.arr-stack") }),
            (12_000, EventKind::Stopping),
            (
                12_100,
                EventKind::Interrupted {
                    address: a("helm_release.arr-stack"),
                    written: true,
                    in_doubt: false,
                },
            ),
            (
                12_100,
                EventKind::Interrupted { address: a("secret.arr-secrets"), written: false, in_doubt: false },
            ),
            (42_000, EventKind::Interrupted { address: a("config_map.x"), written: false, in_doubt: true }),
            (
                42_200,
                EventKind::Finished {
                    summary: Summary {
                        done: 1,
                        interrupted: 3,
                        in_doubt: 1,
                        not_started: 1,
                        serial: 4,
                        ..Summary::default()
                    },
                },
            ),
        ],
    );
    insta::assert_snapshot!(text);
}

/// A terminal of 80 columns: its lines and its cursor, all that is needed to see what stays on the screen.
#[derive(Debug, Clone, Default)]
struct Term(std::sync::Arc<std::sync::Mutex<Screen>>);

#[derive(Debug, Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Term {
    fn contents(&self) -> String {
        let screen = self.0.lock().unwrap();
        let lines = screen.lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the trait wants it")]
    fn with(&self, change: impl FnOnce(&mut Screen)) -> std::io::Result<()> {
        change(&mut self.0.lock().unwrap());
        Ok(())
    }
}

impl Screen {
    fn write(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\r' => self.column = 0,
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                c => {
                    // The wrap happens with the first character beyond the edge, as terminals do it.
                    if self.column == 80 {
                        (self.row, self.column) = (self.row + 1, 0);
                    }
                    while self.lines.len() <= self.row {
                        self.lines.push(vec![' '; 80]);
                    }
                    self.lines[self.row][self.column] = c;
                    self.column += 1;
                }
            }
        }
    }
}

impl indicatif::TermLike for Term {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, n: usize) -> std::io::Result<()> {
        self.with(|screen| screen.row = screen.row.saturating_sub(n))
    }
    fn move_cursor_down(&self, n: usize) -> std::io::Result<()> {
        self.with(|screen| screen.row += n)
    }
    fn move_cursor_right(&self, n: usize) -> std::io::Result<()> {
        self.with(|screen| screen.column += n)
    }
    fn move_cursor_left(&self, n: usize) -> std::io::Result<()> {
        self.with(|screen| screen.column = screen.column.saturating_sub(n))
    }
    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.with(|screen| screen.write(&format!("{text}\n")))
    }
    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.with(|screen| screen.write(text))
    }
    fn clear_line(&self) -> std::io::Result<()> {
        self.with(|screen| {
            let row = screen.row;
            screen.lines.iter_mut().skip(row).take(1).for_each(|line| line.fill(' '));
            screen.column = 0;
        })
    }
    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_live_view_shows_what_runs_below_what_ended() {
    let term = Term::default();
    let target = indicatif::ProgressDrawTarget::term_like(Box::new(term.clone()));
    let mut view = Live::on(target, Layout::PLAIN, false);
    for (time, kind) in [
        (0, EventKind::Started { total: 3 }),
        (0, start("namespace.tenant-media", Action::Create, None)),
        (100, done("namespace.tenant-media", Action::Create, 100, None)),
        (100, start("helm_release.arr-stack", Action::Create, Some(55))),
        (200, start("persistent_volume_claim.media-pvc", Action::Create, None)),
        (
            9000,
            waiting(
                "helm_release.arr-stack",
                "2 of 3 Deployments ready; radarr: pulling image ghcr.io/home-operations/radarr",
            ),
        ),
    ] {
        view.event(&Event { elapsed: at(time), kind });
    }
    std::thread::sleep(at(120));
    view.tick(at(41_000));
    insta::assert_snapshot!(term.contents());
}
