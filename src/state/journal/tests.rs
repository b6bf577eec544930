use super::*;
use proptest::prelude::*;

pub(in crate::state) fn key(n: u8) -> ObjectKey {
    ObjectKey::new("", "ConfigMap", Some("ns"), &format!("o{n}"))
}

pub(in crate::state) fn begin(operation: Operation, address: u8, object: u8, uid: u8) -> Begin {
    Begin {
        operation,
        address: Address::new("config_map", format!("a{address}")),
        key: key(object),
        api_version: "v1".to_owned(),
        uid: (operation != Operation::Create).then(|| format!("u{uid}")),
        fields: Vec::new(),
        secrets: BTreeSet::new(),
        protect: false,
        depends_on: Vec::new(),
    }
}

pub(in crate::state) fn owned(object: u8, uid: u8, protect: bool) -> Outcome {
    Outcome::Owned(Box::new(Owned { protect, ..Owned::new(key(object), "v1", format!("u{uid}")) }))
}

/// Begins, each with how it ended, or not at all.
fn history() -> impl Strategy<Value = Vec<Record>> {
    let operation = prop_oneof![
        Just(Operation::Create),
        Just(Operation::Update),
        Just(Operation::Adopt),
        Just(Operation::Delete),
        Just(Operation::Forget),
    ];
    let one = (operation, 0..4u8, 0..4u8, 0..3u8, 0..4u8, any::<bool>());
    proptest::collection::vec(one, 0..12).prop_map(|steps| {
        let mut records = Vec::new();
        let mut late = Vec::new();
        for (n, (operation, address, object, uid, end, protect)) in steps.into_iter().enumerate() {
            let seq = BeginId(n as u64 + 1);
            let begin = begin(operation, address, object, uid);
            records.push(Record::Begin { seq, begin });
            let outcome = match end {
                0 => continue,
                1 => Outcome::Unchanged,
                _ => match operation {
                    Operation::Delete | Operation::Forget => Outcome::Gone,
                    _ => owned(object, uid, protect),
                },
            };
            // Operations overlap: every third ends after those begun later.
            if n % 3 == 0 {
                late.push(Record::End { seq, outcome });
            } else {
                records.push(Record::End { seq, outcome });
            }
        }
        records.extend(late);
        records
    })
}

fn base() -> State {
    State::new("L", "arr", "arr.toml")
}

/// What a state and its open operations are after records, told in the simplest way.
fn told(records: &[Record]) -> (State, Vec<BeginId>) {
    let mut state = base();
    let mut open: BTreeMap<BeginId, Begin> = BTreeMap::new();
    for record in records {
        match record {
            Record::Begin { seq, begin } => {
                open.insert(*seq, begin.clone());
            }
            Record::End { seq, outcome } => {
                let begin = open.remove(seq).unwrap();
                crate::state::record(&mut state, &begin, outcome);
            }
        }
    }
    (state, open.into_keys().collect())
}

proptest! {
    #[test]
    fn a_journal_cut_anywhere_is_its_prefix(records in history(), cut in any::<proptest::sample::Index>()) {
        let (text, _) = Journal::render(&Header::new("L", 0, None), &records);
        let bytes = text.as_bytes();
        let cut = cut.index(bytes.len() + 1);
        let lines = bytes[..cut].split(|b| *b == b'\n').count() - 1;
        match replay(base(), &bytes[..cut]) {
            Err(reason) => {
                prop_assert_eq!(lines, 0, "{}", reason);
            }
            Ok((state, open)) => {
                let (expected, expected_open) = told(&records[..lines - 1]);
                prop_assert_eq!(state, expected);
                prop_assert_eq!(open.iter().map(|o| o.id).collect::<Vec<_>>(), expected_open);
            }
        }
    }

    #[test]
    fn a_flipped_byte_is_refused_or_undoes_nothing_before_it(
        records in history(), at in any::<proptest::sample::Index>(), bit in 0..8u8,
    ) {
        let (text, _) = Journal::render(&Header::new("L", 0, None), &records);
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // Only the last newline can go without being noticed: then its line looks unfinished.
        if let Ok(journal) = Journal::parse(&bytes) {
            prop_assert_eq!(at, bytes.len() - 1);
            prop_assert_eq!(&journal.records[..], &records[..records.len().saturating_sub(1)]);
        }
    }

    #[test]
    fn object_keys_stay_unique_whatever_happens(records in history()) {
        let (state, _) = told(&records);
        prop_assert_eq!(state.check(), Ok(()));
        // What is read back from a file has the same places as what was followed.
        let again: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        prop_assert_eq!(again, state);
    }

    #[test]
    fn any_bytes_are_a_journal_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Journal::parse(&bytes));
    }
}

#[test]
fn every_bit_and_every_length_of_a_journal_is_refused_or_a_beginning_of_it() {
    let records = [
        Record::Begin { seq: BeginId(1), begin: begin(Operation::Create, 1, 1, 1) },
        Record::Begin { seq: BeginId(2), begin: begin(Operation::Delete, 2, 2, 2) },
        Record::End { seq: BeginId(1), outcome: owned(1, 1, true) },
        Record::End { seq: BeginId(2), outcome: Outcome::Gone },
        Record::Begin { seq: BeginId(3), begin: begin(Operation::Update, 1, 1, 1) },
    ];
    let (text, _) = Journal::render(&Header::new("L", 7, None), &records);
    let good = text.into_bytes();
    let (mut refused, mut shorter) = (0, 0);
    let mut look = |bytes: &[u8]| match Journal::parse(bytes) {
        Err(_) => {
            refused += 1;
            // What recovery takes from it is a beginning, too.
            let rest = Journal::beginning(bytes);
            assert!(rest.is_none_or(|journal| records.starts_with(&journal.records)));
        }
        Ok(journal) => {
            shorter += 1;
            assert!(journal.records.len() < records.len() && records.starts_with(&journal.records));
            assert_eq!(journal.header, Header::new("L", 7, None));
        }
    };
    for at in 0..good.len() {
        look(&good[..at]);
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            look(&flipped);
        }
    }
    println!("journal of {} bytes: {refused} damages refused, {shorter} read as a beginning", good.len());
    assert_eq!(refused + shorter, good.len() * 9);
    // Flips are read only where they unend the last line; a cut after the first line is a journal.
    assert!(shorter <= good.len() + 8);
}

#[test]
fn lines_that_were_never_written_are_no_damage() {
    let records = [
        Record::Begin { seq: BeginId(1), begin: begin(Operation::Create, 1, 1, 1) },
        Record::Begin { seq: BeginId(2), begin: begin(Operation::Create, 2, 2, 2) },
        Record::Begin { seq: BeginId(3), begin: begin(Operation::Create, 3, 3, 3) },
    ];
    let (text, _) = Journal::render(&Header::new("L", 0, None), &records);
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let mut bytes = text.clone().into_bytes();
    bytes[ends[1]..ends[2] - 20].fill(0);
    let journal = Journal::parse(&bytes).unwrap();
    assert_eq!(journal.records, records[..1]);
    assert_eq!(journal.valid, ends[1] as u64);

    let zeros = [text.as_bytes(), &[0; 4096]].concat();
    assert_eq!(Journal::parse(&zeros).unwrap().records, records);
}

#[test]
fn what_is_no_journal_says_why() {
    let (text, _) = Journal::render(&Header::new("L", 0, None), &[]);
    let sealed = |json: &str| seal_line(json, "").0;
    let end = Record::End { seq: BeginId(1), outcome: Outcome::Gone };
    let orphan = Journal::render(&Header::new("L", 0, None), [&end]).0;
    let twice = Record::Begin { seq: BeginId(1), begin: begin(Operation::Create, 1, 1, 1) };
    let twice = Journal::render(&Header::new("L", 0, None), [&twice, &twice]).0;
    for (bytes, reason) in [
        (String::new(), "line 1 is incomplete"),
        (text[..10].to_owned(), "line 1 is incomplete"),
        ("{}\n".to_owned(), "line 1 does not match its checksum"),
        (sealed(r#"{"format_version":1}"#), "line 1 is no header"),
        (sealed(r#"{"format_version":2,"new":true}"#), "it has format 2"),
        (text.clone() + &text, "line 2 does not match its checksum"),
        (orphan, "record 1 ends without a begin"),
        (twice, "record 1 is out of order"),
    ] {
        assert_eq!(replay(base(), bytes.as_bytes()).unwrap_err(), reason, "{bytes}");
    }
}

#[test]
fn one_record_on_paper() {
    let record = Record::Begin { seq: BeginId(1), begin: begin(Operation::Adopt, 1, 2, 3) };
    insta::assert_snapshot!(Journal::render(&Header::new("L", 7, None), [&record]).0);
}
