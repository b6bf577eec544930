//! Lines, colours and columns: the only place that knows ANSI codes.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Color, Style as Ansi};

use super::sanitize::clean;

/// What a piece of text means; colours follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// No emphasis.
    Plain,
    /// A heading or a name.
    Strong,
    /// Something comes into being, or worked.
    Good,
    /// Something changes.
    Change,
    /// Something goes away, or failed.
    Bad,
    /// Data is lost, or an error.
    Danger,
    /// Less important.
    Dim,
    /// Worth noticing.
    Note,
}

impl Tone {
    fn ansi(self) -> Ansi {
        let color = |c: AnsiColor| Ansi::new().fg_color(Some(Color::Ansi(c)));
        match self {
            Self::Plain => Ansi::new(),
            Self::Strong => Ansi::new().bold(),
            Self::Good => color(AnsiColor::Green),
            Self::Change => color(AnsiColor::Yellow),
            Self::Bad => color(AnsiColor::Red),
            Self::Danger => color(AnsiColor::Red).bold(),
            Self::Dim => Ansi::new().dimmed(),
            Self::Note => color(AnsiColor::Cyan),
        }
    }
}

/// Whether colours are written, and how wide a line may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Write ANSI colours.
    pub color: bool,
    /// Columns of a line.
    pub width: usize,
}

impl Layout {
    /// No colour, 80 columns.
    pub const PLAIN: Self = Self { color: false, width: 80 };
}

/// One line's content. Everything that enters is sanitised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<(Tone, String)>);

impl Text {
    /// Plain text.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self::default().add(Tone::Plain, text)
    }

    /// Text of this tone.
    #[must_use]
    pub fn tone(tone: Tone, text: &str) -> Self {
        Self::default().add(tone, text)
    }

    /// This and more.
    #[must_use]
    pub fn add(mut self, tone: Tone, text: &str) -> Self {
        if text.is_empty() {
            return self;
        }
        match self.0.last_mut() {
            Some((last, run)) if *last == tone => run.push_str(&clean(text)),
            _ => self.0.push((tone, clean(text).into_owned())),
        }
        self
    }

    /// This and then `other`.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Columns it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is written to a terminal or a file.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        for (tone, text) in &self.0 {
            if color && *tone != Tone::Plain {
                let style = tone.ansi();
                write!(out, "{style}{text}{style:#}").expect("writing to a String cannot fail");
            } else {
                out.push_str(text);
            }
        }
        out
    }
}

/// A page of lines.
#[derive(Debug)]
pub struct Page {
    out: String,
    layout: Layout,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { out: String::new(), layout }
    }

    /// Columns of a line.
    #[must_use]
    pub fn width(&self) -> usize {
        self.layout.width
    }

    /// The finished text, every line ended.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// One line.
    pub fn line(&mut self, indent: usize, text: &Text) {
        if !text.is_empty() {
            self.pad(indent);
            self.out.push_str(&text.render(self.layout.color));
        }
        self.out.push('\n');
    }

    /// An empty line, unless the page is empty or ends with one.
    pub fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// `left`, then `right` at column `at`; where it does not fit, wrapped below, four columns further in.
    pub fn columns(&mut self, indent: usize, left: &Text, at: usize, right: &Text) {
        self.columns_hang(indent, left, at, right, indent + 4);
    }

    /// [`Self::columns`] with the column at which a `right` that does not fit stands below.
    pub fn columns_hang(&mut self, indent: usize, left: &Text, at: usize, right: &Text, hang: usize) {
        if right.is_empty() {
            self.line(indent, left);
            return;
        }
        let end = indent + left.width();
        let start = at.max(end + 2);
        if start + right.width() <= self.layout.width {
            self.pad(indent);
            self.out.push_str(&left.render(self.layout.color));
            self.pad(start - end);
            self.out.push_str(&right.render(self.layout.color));
            self.out.push('\n');
        } else {
            self.line(indent, left);
            self.wrapped(hang, hang, right);
        }
    }

    /// `left` at the left margin and `right` at the right one; on two lines where they do not fit.
    pub fn ends(&mut self, left: &Text, right: &Text) {
        let used = left.width() + right.width();
        if used + 2 <= self.layout.width {
            self.out.push_str(&left.render(self.layout.color));
            self.pad(self.layout.width - used);
            self.out.push_str(&right.render(self.layout.color));
            self.out.push('\n');
        } else {
            self.line(0, left);
            self.line(2, right);
        }
    }

    /// Text broken between words at the width; a word that is longer than a line stays whole, so that it
    /// can be copied. Lines after the first start at `hang`.
    pub fn wrapped(&mut self, indent: usize, hang: usize, text: &Text) {
        let mut line = Text::default();
        let mut start = indent;
        let mut used = indent;
        for (tone, piece) in &text.0 {
            for word in piece.split_inclusive(' ') {
                let bare = word.trim_end().chars().count();
                if used + bare > self.layout.width && used > start {
                    self.line(start, &line.trim_end());
                    line = Text::default();
                    start = hang;
                    used = hang;
                }
                if used == start && word == " " {
                    continue;
                }
                line = line.add(*tone, word);
                used += word.chars().count();
            }
        }
        self.line(start, &line.trim_end());
    }

    fn pad(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }
}

impl Text {
    fn trim_end(mut self) -> Self {
        if let Some((_, last)) = self.0.last_mut() {
            last.truncate(last.trim_end().len());
        }
        self
    }
}

/// Breaks a long value into pieces of at most `width` characters.
#[must_use]
pub fn chunks(text: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(width.max(1)).map(|piece| piece.iter().collect()).collect()
}

/// `1 claim`, `2 claims`.
#[must_use]
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_between_words_and_keeps_long_words_whole() {
        let mut page = Page::new(Layout { color: false, width: 20 });
        page.wrapped(2, 4, &Text::plain("one two three four https://example.org/very/long end"));
        assert_eq!(page.finish(), "  one two three four\n    https://example.org/very/long\n    end\n");
    }

    #[test]
    fn colour_changes_no_letter() {
        let text = Text::tone(Tone::Good, "+ ").add(Tone::Plain, "a\u{1b}[0mb");
        assert_eq!(text.render(false), "+ a\\u{1b}[0mb");
        assert_eq!(text.render(true), "\u{1b}[32m+ \u{1b}[0ma\\u{1b}[0mb");
    }
}
