//! `queue`, `once` and `wait_for` as the users of one thread see them: waits, errors, cancelling.
//! Many threads are the integration tests' affair.

use super::*;

/// What the first tasks of so many users come to, in their order.
fn all(script: &str, users: u64) -> Vec<String> {
    let script = script.to_owned();
    on_load_thread(async move || {
        let answers = Rc::new(World::new(&script)).run_all(users).await;
        answers.into_iter().map(described).collect()
    })
}

fn described(answer: Answer) -> String {
    match answer {
        Ok(value) => value.to_string(),
        Err(Ended::Failure(failure)) => failure.message,
        Err(Ended::Control(control)) => format!("{control:?}"),
    }
}

#[test]
fn a_value_goes_through_a_queue_unchanged_and_is_a_copy() {
    let script = task(
        "let q = queue(\"q\");
        let sent = #{ a: [1, 2.5, \"x\", ()], b: true };
        q.put(sent);
        sent.b = false;
        let got = q.take();
        [got, q.len(), q.try_take()]",
    );
    assert_eq!(
        all(&script, 1),
        [r#"[#{"a": [1, 2.5, "x", ()], "b": true}, 0, ()]"#]
    );
}

#[test]
fn what_is_no_data_is_refused_with_its_place() {
    let failure = failed("queue(\"q\").put(#{ c: [this.client] })");
    assert_eq!(
        failure.message,
        "what is put into a queue `.c[0]` is something else, which stays with its user"
    );
    let failure = failed("once(\"o\", || || 1)");
    assert_eq!(
        failure.message,
        "what `once` keeps for all users is a closure, which stays with its user"
    );
}

#[test]
fn a_user_that_is_stopped_while_it_takes_loses_no_element() {
    on_load_thread(async || {
        let world = World::with_task(
            "if vu_id() == 1 { queue(\"q\").take() } else { queue(\"q\").put(7); queue(\"q\").take() }",
        );
        let mut waits = world.coroutine(world.user(1), Function::Task(0));
        tokio::select! {
            biased;
            _ = &mut waits => panic!("nobody has put anything"),
            () = tokio::task::yield_now() => {}
        }
        waits.cancel();
        let (_, answer) = waits.await;
        assert_eq!(described(answer), "Cancelled");
        let (_, answer) = world.call(world.user(2), Function::Task(0)).await;
        assert_eq!(described(answer), "7");
    });
}

#[test]
fn whoever_fails_to_make_a_value_has_the_error_and_the_next_one_tries() {
    let script = task("once(\"v\", || { sleep(0.001); if vu_id() < 2 { throw \"no\" } vu_id() })");
    assert_eq!(all(&script, 4), ["no", "no", "2", "2"]);
}

#[test]
fn whoever_is_cancelled_while_it_makes_a_value_gives_its_turn_to_the_next() {
    on_load_thread(async || {
        let world = World::with_task(
            "once(\"v\", || { if vu_id() == 0 { queue(\"never\").take() } vu_id() })",
        );
        let mut first = world.coroutine(world.user(0), Function::Task(0));
        let mut second = world.coroutine(world.user(1), Function::Task(0));
        tokio::select! {
            biased;
            _ = &mut first => panic!("it waits"),
            _ = &mut second => panic!("it waits for the first"),
            () = tokio::task::yield_now() => {}
        }
        first.cancel();
        assert_eq!(described(first.await.1), "Cancelled");
        assert_eq!(described(second.await.1), "1");
    });
}

#[test]
fn once_inside_itself_is_refused_instead_of_waiting_for_ever() {
    let failure = failed("once(\"v\", || once(\"v\", || 1))");
    assert_eq!(
        failure.message,
        "`once(\"v\", …)` inside itself would wait for ever"
    );
    assert_eq!(evaluated("once(\"v\", || once(\"w\", || 1) + 1)"), "2");
}

#[test]
fn once_as_a_method_has_this_and_changes_it() {
    let script = "user(\"U\", #{
        state: #{ n: 1 },
        twice: |x| 2 * x,
        t: task(|| { let v = this.once(\"v\", || { this.n = 5; this.twice(this.n) }); [v, this.n] }),
    });";
    assert_eq!(all(script, 2), ["[10, 5]", "[10, 1]"]);
}

#[test]
fn a_wait_for_what_is_shared_closes_the_verdict() {
    on_load_thread(async || {
        let target = target();
        let script =
            task("let r = this.client.get(\"/hello\"); queue(\"q\").put(1); r.failure(\"late\");");
        let message = World::at(&target, &script).failure().await.message;
        assert!(message.ends_with("came too late: it was closed in line 1"));
    });
}

#[test]
fn only_one_event_can_be_waited_for() {
    let failure = failed("let event = \"test_\" + \"stop\"; wait_for(event)");
    assert!(
        failure
            .message
            .starts_with("`wait_for` waits for `spawning_complete` only, not for `test_stop`"),
        "{}",
        failure.message
    );
}
