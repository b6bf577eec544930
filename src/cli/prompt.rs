//! The one question: apply this?

use std::io::BufRead;

use tokio_util::sync::CancellationToken;

/// Reads one line and says whether it is a yes. An interrupt, the end of the input and anything else than
/// `y` or `yes` is a no. The question itself was printed before.
pub(super) async fn is_yes(mut answers: Box<dyn BufRead + Send>, cancel: &CancellationToken) -> bool {
    // Reading a terminal cannot be taken back: after an interrupt the thread stays behind, and the process
    // ends around it.
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        answers.read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        () = cancel.cancelled() => false,
        line = line => {
            let line = line.ok().and_then(Result::ok).unwrap_or_default();
            matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_yes_is_yes() {
        for (text, yes) in
            [("y\n", true), (" YES \n", true), ("\n", false), ("", false), ("n\n", false), ("yep\n", false)]
        {
            let answers = Box::new(std::io::Cursor::new(text.to_owned()));
            assert_eq!(is_yes(answers, &CancellationToken::new()).await, yes, "{text:?}");
        }
    }
}
