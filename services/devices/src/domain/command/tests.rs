//! The table of what follows what, and the laws.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn command(state: State) -> Command {
    Command {
        id: CommandId::new(),
        tenant: TenantId::new(),
        device: DeviceId::new(),
        version: 1,
        state,
        script: "true".to_owned(),
        interpreter: "sh".to_owned(),
        timeout_s: 60,
        idempotent: false,
        created_at: at(100),
        expires_at: at(1_000),
        started_at: None,
        finished_at: None,
        exit_code: None,
        status_reason: String::new(),
        created_by: String::new(),
        reason: String::new(),
        cancel_requested: false,
        output_bytes: 0,
        output_chunks: 0,
        output_end: 0,
        output_truncated: false,
    }
}

fn said(state: ReportedState, second: i64) -> Report {
    Report { state, at: at(second), exit_code: Some(3), reason: "why".to_owned(), output_bytes: 0 }
}

const REPORTED: [ReportedState; 8] = [
    ReportedState::Accepted,
    ReportedState::Running,
    ReportedState::Succeeded,
    ReportedState::Failed,
    ReportedState::TimedOut,
    ReportedState::Interrupted,
    ReportedState::Cancelled,
    ReportedState::Expired,
];

/// Every state with every report: what follows is written out once, in another way than the code.
#[test]
fn a_report_only_ever_moves_a_command_on() {
    for state in State::ALL {
        for reported in REPORTED {
            let next = report(&command(state), &said(reported, 200), at(300));
            let want = match (state, reported) {
                (State::Queued | State::Sent, _) => true,
                (State::Accepted, reported) => reported != ReportedState::Accepted,
                (State::Running, reported) => {
                    !matches!(reported, ReportedState::Accepted | ReportedState::Running)
                }
                _ => false,
            };
            assert_eq!(next.is_some(), want, "{state:?} {reported:?}");
            if let Some(next) = next {
                assert_eq!(next.state, reported.state());
                assert_eq!(next.version, 2);
                assert_eq!(next.finished_at.is_some(), next.state.is_finished());
            }
        }
    }
}

#[test]
fn a_wrong_clock_does_not_end_a_command_before_it_began_or_after_now() {
    let running = report(&command(State::Sent), &said(ReportedState::Running, 9_999), at(300));
    let running = running.unwrap();
    assert_eq!(running.started_at, Some(at(300)));
    let done = report(&running, &said(ReportedState::Succeeded, 5), at(400)).unwrap();
    assert_eq!((done.finished_at, done.exit_code), (Some(at(300)), Some(3)));
}

#[test]
fn only_what_has_not_begun_expires() {
    let grace = SENT_GRACE.as_secs();
    for (state, second, want) in [
        (State::Queued, 999, false),
        (State::Queued, 1_000, true),
        (State::Sent, 1_000, false),
        (State::Sent, 1_000 + grace, true),
        (State::Accepted, 9_999_999, false),
        (State::Running, 9_999_999, false),
        (State::Succeeded, 9_999_999, false),
    ] {
        let next = expire(&command(state), at(second));
        assert_eq!(next.map(|next| next.state), want.then_some(State::Expired), "{state:?}");
    }
}

#[test]
fn cancelling_ends_what_cannot_have_begun_and_asks_for_the_rest() {
    for (state, reached, want) in [
        (State::Queued, false, Some((State::Cancelled, false))),
        (State::Sent, false, Some((State::Cancelled, false))),
        (State::Sent, true, Some((State::Sent, true))),
        (State::Accepted, false, Some((State::Accepted, true))),
        (State::Running, true, Some((State::Running, true))),
        (State::Failed, true, None),
    ] {
        let next = cancel(&command(state), reached, at(200));
        assert_eq!(next.map(|next| (next.state, next.cancel_requested)), want, "{state:?}");
    }
    let asked = Command { cancel_requested: true, ..command(State::Running) };
    assert_eq!(cancel(&asked, true, at(200)), None);
}

fn piece(offset: u64, text: &str) -> Chunk {
    Chunk { stream: Stream::Stdout, offset, data: text.into() }
}

#[test]
fn output_is_appended_once_and_cut_at_the_limit() {
    let first = command(State::Running);
    let (second, kept) = append(&first, &piece(0, "hello"), 8).unwrap();
    assert_eq!(kept, Some(piece(0, "hello")));
    assert_eq!(append(&second, &piece(0, "hello"), 8), None);
    assert_eq!(append(&second, &piece(3, ""), 8), None);
    let (third, kept) = append(&second, &piece(3, "lo wor"), 8).unwrap();
    assert_eq!(kept, Some(piece(5, " wo")));
    assert!(third.output_truncated);
    assert_eq!((third.output_bytes, third.output_end), (8, 8));
    assert_eq!(append(&third, &piece(9, "ld"), 8), None);
    let (far, kept) = append(&first, &piece(u64::MAX, "x"), 8).unwrap();
    assert_eq!((far.output_truncated, kept), (true, None));
}

#[derive(Debug, Clone)]
enum Step {
    Pushed,
    Reported(ReportedState),
    Expire(i64),
    Cancel(bool),
    Output(u64, String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Pushed),
        proptest::sample::select(REPORTED.to_vec()).prop_map(Step::Reported),
        (0..9_000_i64).prop_map(Step::Expire),
        any::<bool>().prop_map(Step::Cancel),
        (0..40_u64, "[a-z]{0,9}").prop_map(|(offset, text)| Step::Output(offset, text)),
    ];
    proptest::collection::vec(step, 0..40)
}

fn take(command: &Command, step: &Step) -> Option<Command> {
    match step {
        Step::Pushed => pushed(command),
        Step::Reported(state) => report(command, &said(*state, 200), at(300)),
        Step::Expire(second) => expire(command, at(*second)),
        Step::Cancel(reached) => cancel(command, *reached, at(300)),
        Step::Output(offset, text) => append(command, &piece(*offset, text), 32).map(|it| it.0),
    }
}

proptest! {
    #[test]
    fn the_laws_hold_for_any_life(steps in steps()) {
        let mut now = command(State::Queued);
        let mut accepted = 0;
        for step in &steps {
            let Some(next) = take(&now, step) else { continue };
            prop_assert_eq!(next.version, now.version + 1);
            prop_assert!(next.state >= now.state);
            if now.state.is_finished() {
                // Output may arrive late; nothing else of a finished command changes.
                prop_assert_eq!(next.state, now.state);
                prop_assert_eq!(next.finished_at, now.finished_at);
                prop_assert!(matches!(step, Step::Output(..)));
            }
            accepted += u32::from(next.state == State::Accepted && now.state != State::Accepted);
            prop_assert!(accepted <= 1);
            prop_assert!(next.output_end >= now.output_end && next.output_bytes <= 32);
            prop_assert_eq!(take(&next, step).map(|it| it.state), None, "taken twice: {:?}", step);
            now = next;
        }
    }
}
