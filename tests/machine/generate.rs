//! What happens in a history, and how likely it is.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::intent::{Draft, Edit, How, Intent, Kind};

/// A command of arrplan.
#[derive(Debug, Clone)]
pub(crate) enum Run {
    Apply,
    Destroy,
    /// To one of the recorded revisions.
    Rollback(u8),
    /// `state rm` of a declaration's address.
    Release(u8),
    /// Of a declaration that is not in the state; where all are, one is let go of first.
    Import(u8),
    /// `apply --target`.
    Target(u8),
    /// `apply --replace`.
    Replace(u8),
    RefreshOnly,
    Plan,
}

/// What others do to the object of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    /// `kubectl edit` of a field of ours.
    Edit,
    /// A field that we do not set.
    Add,
    /// A field of ours is removed.
    Drop,
    /// Another server-side-apply manager takes a field of ours by force.
    Declare,
    Delete,
    /// Deleted, and something else of that name made.
    Recreate,
    /// Deleted and made again as it was, our mark included, as a backup does it.
    Restore,
    /// Our mark is taken off.
    Unmark,
    /// A finalizer of somebody.
    Hold,
    /// A finalizer, and a delete that waits for it.
    HoldAndDelete,
    /// Whoever held it lets go.
    LetGo,
    /// An object of that name, where there is none.
    Make,
}

/// What goes wrong while a command runs.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Faults of the sandbox's script: which requests, from which on, how many, what.
    Faults(Vec<Fault>),
    /// The process ends at the so-manieth hit of one of the engine's failpoints.
    Crash { point: u8, hit: u8 },
    /// SIGKILL as soon as the journal has so many announcements.
    KillAnnounced(u8),
    /// SIGKILL as soon as so many writes are answered.
    KillWritten(u8),
    /// Somebody does something to an object as soon as so many writes are answered.
    Meddle { after: u8, at: u8, drift: Drift },
}

/// See [`Trouble::Faults`].
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// Writes, or reads.
    pub(crate) writes: bool,
    pub(crate) nth: u8,
    pub(crate) times: u8,
    pub(crate) what: What,
}

/// What a fault does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    TooMany,
    Internal,
    Unavailable,
    GatewayTimeout,
    Conflict,
    NotJson,
    ResetBefore,
    ResetMiddle,
    ResetAfter,
    Truncate,
    Delay,
}

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Edit(Vec<Edit>),
    /// `state mv`, with the same move in the stack.
    MoveState {
        at: u8,
        local: u8,
    },
    /// Undisturbed: the outcome is known to the last field.
    Run(Run),
    /// Disturbed: whatever comes of it, nothing is lost and nothing is done that was not shown.
    Disturbed(Run, Trouble),
    /// Two applies at once.
    Race {
        patient: bool,
    },
    Drift {
        at: u8,
        drift: Drift,
    },
}

/// The stack as edits make it; everything else a history does is the system's.
#[derive(Debug)]
pub(crate) struct Model;

impl ReferenceStateMachine for Model {
    type State = Intent;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Intent> {
        let drafts = proptest::collection::vec(draft(), 3..8);
        (drafts, prop::bool::weighted(0.7)).prop_map(|(drafts, applied)| Intent::of(&drafts, applied)).boxed()
    }

    fn transitions(_state: &Intent) -> BoxedStrategy<Step> {
        let edits = proptest::collection::vec(edit(), 1..4);
        prop_oneof![
            5 => edits.prop_map(Step::Edit),
            1 => (any::<u8>(), 0..6_u8).prop_map(|(at, local)| Step::MoveState { at, local }),
            4 => run().prop_map(Step::Run),
            7 => disturbed(),
            1 => any::<bool>().prop_map(|patient| Step::Race { patient }),
            4 => (any::<u8>(), drift()).prop_map(|(at, drift)| Step::Drift { at, drift }),
        ]
        .boxed()
    }

    fn apply(mut state: Intent, step: &Step) -> Intent {
        match step {
            Step::Edit(edits) => edits.iter().for_each(|edit| state.edit(edit)),
            Step::MoveState { at, local } => state.edit(&Edit::Move { at: *at, local: *local }),
            _ => {}
        }
        state
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Namespace),
        1 => Just(Kind::Definition),
        6 => Just(Kind::Map),
        2 => Just(Kind::Sealed),
        2 => Just(Kind::Secret),
        2 => Just(Kind::Service),
        2 => Just(Kind::Claim),
        2 => Just(Kind::Gear),
    ]
}

prop_compose! {
    fn draft()(
        kind in kind(),
        local in 0..6_u8,
        object in 0..5_u8,
        extra in prop::bool::weighted(0.25),
        keys in 0..8_u8,
        value in 0..4_u8,
        protect in prop::bool::weighted(0.12),
        applied in prop::bool::weighted(0.15),
        needs in any::<u8>(),
    ) -> Draft {
        Draft { kind, local, object, extra, keys, value, protect, applied, needs }
    }
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![3 => Just(How::Plain), 2 => Just(How::Said), 1 => Just(How::SaidAnew)]
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<u8>;
    prop_oneof![
        5 => draft().prop_map(Edit::Add),
        4 => (at(), 0..4_u8, 0..8_u8).prop_map(|(at, value, keys)| Edit::Change { at, value, keys }),
        1 => (at(), any::<bool>()).prop_map(|(at, protect)| Edit::Protect { at, protect }),
        4 => (at(), how()).prop_map(|(at, how)| Edit::Remove { at, how }),
        4 => (at(), 0..6_u8, how()).prop_map(|(at, local, how)| Edit::Rename { at, local, how }),
        2 => (at(), 0..5_u8).prop_map(|(at, object)| Edit::Exchange { at, object }),
        1 => at().prop_map(|at| Edit::Swap { at }),
        2 => (at(), any::<u8>()).prop_map(|(at, needs)| Edit::Rewire { at, needs }),
    ]
}

fn run() -> impl Strategy<Value = Run> {
    prop_oneof![
        8 => Just(Run::Apply),
        1 => Just(Run::Destroy),
        4 => any::<u8>().prop_map(Run::Rollback),
        2 => any::<u8>().prop_map(Run::Release),
        3 => any::<u8>().prop_map(Run::Import),
        1 => any::<u8>().prop_map(Run::Target),
        4 => any::<u8>().prop_map(Run::Replace),
        1 => Just(Run::RefreshOnly),
        1 => Just(Run::Plan),
    ]
}

fn disturbed() -> impl Strategy<Value = Step> {
    let run = prop_oneof![
        10 => Just(Run::Apply),
        2 => Just(Run::Destroy),
        2 => any::<u8>().prop_map(Run::Rollback),
        1 => any::<u8>().prop_map(Run::Release),
        1 => any::<u8>().prop_map(Run::Replace),
    ];
    (run, trouble()).prop_map(|(run, trouble)| Step::Disturbed(run, trouble))
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        4 => proptest::collection::vec(fault(), 1..4).prop_map(Trouble::Faults),
        6 => (any::<u8>(), 1..6_u8).prop_map(|(point, hit)| Trouble::Crash { point, hit }),
        1 => (1..5_u8).prop_map(Trouble::KillAnnounced),
        2 => (1..4_u8).prop_map(Trouble::KillWritten),
        2 => (0..4_u8, any::<u8>(), drift()).prop_map(|(after, at, drift)| Trouble::Meddle { after, at, drift }),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let what = prop_oneof![
        Just(What::TooMany),
        Just(What::Internal),
        Just(What::Unavailable),
        Just(What::GatewayTimeout),
        Just(What::Conflict),
        Just(What::NotJson),
        Just(What::ResetBefore),
        Just(What::ResetMiddle),
        Just(What::ResetAfter),
        Just(What::Truncate),
        Just(What::Delay),
    ];
    (prop::bool::weighted(0.7), 1..8_u8, 1..3_u8, what).prop_map(|(writes, nth, times, what)| Fault {
        writes,
        nth,
        times,
        what,
    })
}

fn drift() -> impl Strategy<Value = Drift> {
    prop_oneof![
        4 => Just(Drift::Edit),
        2 => Just(Drift::Add),
        1 => Just(Drift::Drop),
        2 => Just(Drift::Declare),
        3 => Just(Drift::Delete),
        2 => Just(Drift::Recreate),
        1 => Just(Drift::Restore),
        1 => Just(Drift::Unmark),
        1 => Just(Drift::Hold),
        1 => Just(Drift::HoldAndDelete),
        1 => Just(Drift::LetGo),
        3 => Just(Drift::Make),
    ]
}
