//! Control calls and cancelling: they pass everything, and leave nothing behind.
//! What a user does after its task has ended is decided in `vu`, not here.

use super::*;
use crate::script::Control;

/// How the task of each of these bodies ends.
fn ends(script: &str) -> Ended {
    let script = script.to_owned();
    on_load_thread(async move || World::new(&script).run().await.expect_err("it ends"))
}

fn ends_by(body: &str, expected: &Control) {
    let helpers = "fn nested(f) { try { f.call() } catch { 1 } }
        fn stops() { try { stop_user() } catch { 2 } }
        let caught = |f| { try { f.call(); } catch (e) { print(e); } 3 };
        user(\"U\", #{
            stop: || { try { stop_user() } catch { 4 } },
            t: task(|| { ";
    let script = format!("{helpers}{body} }}) }});");
    match ends(&script) {
        Ended::Control(control) => assert_eq!(control, *expected, "{body}"),
        Ended::Failure(failure) => panic!("{body}: {failure:?}"),
    }
}

#[test]
fn control_calls_pass_every_try() {
    for body in [
        "try { stop_user(); } catch { } sleep(10);",
        "stops(); sleep(10);",
        "nested(|| stops());",
        "this.stop();",
        "try { this.stop(); } catch { this.stop(); }",
        "caught.call(|| stop_user())",
        // Rhai wraps the error of a closure that a function calls, and `try` catches the wrap.
        "try { [1, 2].map(|x| stop_user()); } catch { } sleep(10); 5",
        "try { [1, 2].filter(|x| stops()) } catch { 5 }",
        "[1].for_each(|x| { try { [1].map(|y| nested(|| stop_user())) } catch { } }); 5",
        "loop { try { [1].map(|x| stop_user()) } catch { continue; } }",
        "try { [3, 1].sort(|a, b| stop_user()) } catch { }",
        "try { #{ a: 1 }.filter(|k| stop_user()) } catch { }",
    ] {
        ends_by(body, &Control::StopUser);
    }
    ends_by(
        "try { [1].map(|x| reschedule()) } catch { }",
        &Control::Reschedule { waits: false },
    );
    ends_by(
        "try { [1].map(|x| stop_test(\"enough\")) } catch { }",
        &Control::StopTest("enough".to_owned()),
    );
}

#[test]
fn an_expectation_ends_the_task_from_within_a_map() {
    on_load_thread(async || {
        let target = target();
        let world = World::at(
            &target,
            &task(
                "let r = this.client.get(\"/hello\");
                   try { [1].map(|x| r.expect(false, \"no\")) } catch { } this.client.get(\"/\")",
            ),
        );
        let ended = world.run().await.unwrap_err();
        assert!(
            matches!(ended, Ended::Control(Control::Unexpected)),
            "{ended:?}"
        );
        assert_eq!(
            target.counts().total,
            1,
            "it ended before the second request"
        );
    });
}

/// Cancels a task that waits; what the script does after that is counted in `this.after`.
async fn cancelled(world: &World, user: Instance) -> (Instance, Answer) {
    let mut coroutine = world.coroutine(user, Function::Task(0));
    let pending = futures_poll(&mut coroutine).await;
    assert!(pending, "it waits");
    coroutine.cancel();
    coroutine.await
}

/// Polls once; whether it is still pending.
async fn futures_poll(coroutine: &mut Coroutine<(Instance, Answer)>) -> bool {
    std::future::poll_fn(|cx| {
        let poll = std::pin::Pin::new(&mut *coroutine).poll(cx);
        std::task::Poll::Ready(poll.is_pending())
    })
    .await
}

#[test]
fn a_cancelled_task_cannot_go_on_and_its_user_keeps_its_data() {
    for body in [
        "sleep(60); this.after += 1;",
        "try { sleep(60) } catch { this.after += 1; }",
        "try { [1, 2].map(|x| sleep(60)) } catch { } this.after += 1;",
        "loop { try { [1].for_each(|x| sleep(60)) } catch { } this.after += 1; }",
        "this.waits();",
        "this.list.map(|x| sleep(60));",
        "let f = || sleep(60); list.map(|x| f.call())",
        "try { list.map(|x| to_json(sleep(60))) } catch { } parse_json(\"1\"); this.after += 1;",
    ] {
        let script = format!(
            "let list = [1, 2, 3];
            user(\"U\", #{{
                state: #{{ before: 0, after: 0, list: [1, 2] }},
                waits: || {{ try {{ [1].map(|x| sleep(60)) }} catch {{ this.after += 1; }} }},
                on_stop: || `${{this.before}} ${{this.after}} ${{this.list}} ${{list}}`,
                t: task(|| {{ this.before = 1; {body} }}),
            }});"
        );
        on_load_thread(async move || {
            let world = Rc::new(World::new(&script));
            let (user, answer) = cancelled(&world, world.user(0)).await;
            assert!(
                matches!(answer, Err(Ended::Control(Control::Cancelled))),
                "{script}: {answer:?}"
            );
            // Nothing is left locked, neither for this user nor for others.
            for user in [user, world.user(1)] {
                let before = u8::from(user.user().ordinal == 0);
                let (_, left) = world.call(user, Function::OnStop).await;
                let left = left.expect("it returns").to_string();
                assert_eq!(left, format!("{before} 0 [1, 2] [1, 2, 3]"), "{script}");
            }
            let (_, again) = cancelled(&world, world.user(2)).await;
            assert!(again.is_err());
        });
    }
}

#[test]
fn a_task_that_computes_for_ever_is_cancelled_where_it_yields() {
    for body in [
        "loop { }",
        "loop { try { loop { } } catch { } }",
        "while true { 1 + 1; }",
    ] {
        let script = task(body);
        on_load_thread(async move || {
            let world = World::new(&script);
            let (_, answer) = cancelled(&world, world.user(0)).await;
            assert!(matches!(answer, Err(Ended::Control(Control::Cancelled))));
        });
    }
}

#[test]
fn dropping_a_task_that_waits_leaves_nothing_locked() {
    on_load_thread(async || {
        let world = World::new(
            "let list = [1, 2];
            user(\"U\", #{ t: task(|| { list.map(|x| { sleep(0.001); x }) }) });",
        );
        for ordinal in 0..3 {
            let mut coroutine = world.coroutine(world.user(ordinal), Function::Task(0));
            assert!(futures_poll(&mut coroutine).await);
            drop(coroutine);
        }
        assert_eq!(world.value().await, "[1, 2]");
    });
}

#[test]
fn after_an_error_the_next_call_begins_clean() {
    on_load_thread(async || {
        let world = World::new(
            "fn deep(n) { if n == 0 { throw \"deep\" } let local = n; deep(n - 1) }
            user(\"U\", #{
                state: #{ calls: 0 },
                t: task(|| {
                    let a = 1; let b = 2;
                    this.calls += 1;
                    if this.calls % 2 == 1 { deep(5); }
                    a + b
                }),
            });",
        );
        let mut user = world.user(0);
        for call in 0..200 {
            let answer;
            (user, answer) = world.call(user, Function::Task(0)).await;
            match answer {
                Ok(value) => assert_eq!((call % 2, value.to_string().as_str()), (1, "3")),
                Err(Ended::Failure(failure)) => {
                    assert_eq!((call % 2, failure.message.as_str()), (0, "deep"));
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_caught_error_goes_on() {
    assert_eq!(
        evaluated("let r = 0; try { throw 5; } catch (e) { r = e + 1; } r"),
        "6"
    );
    assert_eq!(
        evaluated(
            "let r = 0; try { [1].map(|x| { throw \"no\"; }) } catch (e) { r = `caught ${e}`; } r"
        ),
        "caught no"
    );
}
