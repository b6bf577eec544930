//! What a command has of the world around it, so that tests can give it another one.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::args::Color;
use super::error::Failed;
use crate::views::page::Layout;

/// Columns of a line where nothing else says how many there are.
const WIDTH: usize = 80;

/// Where answers come from.
pub enum Stdin {
    /// A person at a terminal.
    Terminal(Box<dyn BufRead + Send>),
    /// Nobody who could answer.
    Other,
}

/// The process around a command.
pub struct Host {
    /// The environment; entries that are not Unicode are left out.
    pub env: BTreeMap<String, String>,
    /// The folder the command runs in; empty for the process's own, so that paths are shown as they are typed.
    pub cwd: PathBuf,
    /// Where answers come from.
    pub stdin: Stdin,
    /// Columns of the terminal behind standard output, if there is one.
    pub out_width: Option<usize>,
    /// Columns of the terminal behind standard error, if there is one.
    pub err_width: Option<usize>,
    /// The clock.
    pub now: fn() -> Timestamp,
    out: Box<dyn Write + Send>,
    err: Beside,
    color: Color,
}

/// Standard error, for all who say something beside what was asked for.
#[derive(Clone)]
pub(super) struct Beside(Arc<Mutex<Box<dyn Write + Send>>>);

impl Beside {
    fn new(err: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(err)))
    }

    /// Says something. Nobody may be listening, and that stops nothing.
    pub(super) fn say(&self, text: &str) {
        let mut err = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("cwd", &self.cwd).finish_non_exhaustive()
    }
}

impl Host {
    /// The real process.
    #[must_use]
    pub fn process() -> Self {
        let stdin = io::stdin();
        let terminal = stdin.is_terminal();
        Self {
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            cwd: PathBuf::new(),
            stdin: if terminal { Stdin::Terminal(Box::new(io::BufReader::new(stdin))) } else { Stdin::Other },
            out_width: columns(io::stdout()),
            err_width: columns(io::stderr()),
            now: Timestamp::now,
            out: Box::new(io::stdout()),
            err: Beside::new(Box::new(io::stderr())),
            color: Color::Auto,
        }
    }

    /// A process of a test's own: writes to `out` and `err`, no terminal, no environment.
    #[must_use]
    pub fn with(cwd: PathBuf, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self {
            env: BTreeMap::new(),
            cwd,
            stdin: Stdin::Other,
            out_width: None,
            err_width: None,
            now: Timestamp::now,
            out,
            err: Beside::new(err),
            color: Color::Auto,
        }
    }

    pub(super) fn set_color(&mut self, color: Color) {
        self.color = color;
    }

    /// Layout for standard output.
    #[must_use]
    pub fn out_layout(&self) -> Layout {
        self.layout(self.out_width)
    }

    /// Layout for standard error.
    #[must_use]
    pub fn err_layout(&self) -> Layout {
        self.layout(self.err_width)
    }

    /// `--color`, else `NO_COLOR` (<https://no-color.org>), else `CLICOLOR_FORCE` and `CLICOLOR`
    /// (<https://bixense.com/clicolors>), else whether it is a terminal.
    fn layout(&self, terminal: Option<usize>) -> Layout {
        let set = |name: &str| self.env.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Color::Auto if set("CLICOLOR") == Some("0") || set("TERM") == Some("dumb") => false,
            Color::Auto => terminal.is_some(),
        };
        let asked = set("COLUMNS").and_then(|columns| columns.parse().ok());
        Layout {
            color,
            // Below that nothing is legible, beyond it lines are too long to read.
            width: asked.or(terminal).unwrap_or(WIDTH).clamp(40, 120),
        }
    }

    /// Whether a live view can be drawn on standard error.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.err_width.is_some() && self.env.get("TERM").is_none_or(|term| term != "dumb")
    }

    /// Writes what was asked for.
    ///
    /// # Errors
    /// [`Failed::Pipe`] when the reader went away.
    pub fn print(&mut self, text: &str) -> Result<(), Failed> {
        self.out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(|error| Failed::output(&error))
    }

    /// Says something beside it. Nobody may be listening, and that stops nothing.
    pub fn say(&mut self, text: &str) {
        self.err.say(text);
    }

    /// Standard output, for a stream of lines.
    pub fn out(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.out
    }

    /// Standard error, for a stream of lines.
    pub fn err(&mut self) -> &mut (dyn Write + Send) {
        &mut self.err
    }

    /// Standard error, for who says something while a command runs.
    pub(super) fn beside(&self) -> Beside {
        self.err.clone()
    }
}

/// The width of the terminal behind `stream`.
fn columns(stream: impl std::os::fd::AsFd + io::IsTerminal) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok();
    Some(size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(WIDTH))
}
