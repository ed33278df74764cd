//! What a load thread tells of requests besides their samples: how many are under way, and how late
//! the generator began an iteration.

use tokio::net::TcpListener;
use tokio::select;

use super::*;
use crate::stats::Collector;

/// How many requests are under way, as the thread's next batch says.
fn under_way(world: &World) -> u64 {
    let mut collector = Collector::new(Limits::default());
    collector.absorb(world.thread.record(|recorder| recorder.take(None)));
    collector.tick(1_000_000);
    let summary = collector.summary(1_000_000);
    summary.history.get(0).map_or(0, |second| second.in_flight)
}

#[test]
fn a_request_is_under_way_until_it_has_ended_or_is_cut() {
    for (body, count) in [
        (r#"this.client.get("/")"#, 1),
        (r#"this.client.batch(["/a", "/b", "/c"])"#, 3),
    ] {
        on_load_thread(async move || {
            let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let host = format!("http://{}", silent.local_addr().unwrap());
            let script = task(body);
            let world = World::of(&[("s.rhai", &script)], &Inputs::default(), Some(&host));
            assert_eq!(under_way(&world), 0);
            let mut call = Box::pin(world.call(world.user(0), Function::Task(0)));
            for _ in 0..count {
                select! {
                    _ = &mut call => panic!("nobody answers"),
                    accepted = silent.accept() => { accepted.unwrap(); }
                }
            }
            assert_eq!(under_way(&world), count);
            drop(call);
            assert_eq!(under_way(&world), 0);
        });
    }
    on_load_thread(async || {
        let target = target();
        let world = World::at(&target, &task(r#"this.client.get("/")"#));
        assert!(world.run().await.is_ok());
        assert_eq!(under_way(&world), 0);
    });
}

#[test]
fn the_first_request_of_an_iteration_tells_how_late_the_generator_began_it() {
    on_load_thread(async || {
        let target = target();
        let body = r#"this.client.get("/"); this.client.get("/")"#;
        let world = World::at(&target, &task(body));
        let user = world.user(0);
        user.user().begun_late(1_200);
        user.user().begun_late(34);
        let (user, _) = world.call(user, Function::Task(0)).await;
        user.user().begun_late(77);
        user.user().end_requests();
        let (_, answer) = world.call(user, Function::Task(0)).await;
        assert!(answer.is_ok());
        let batch = world.thread.record(|recorder| recorder.take(None));
        // Samples show what is in them to nobody else.
        let batch = format!("{batch:?}");
        let lags = |us: u64| batch.matches(&format!("lag_us: {us},")).count();
        assert_eq!((lags(1_234), lags(77)), (1, 0), "{batch}");
        assert_eq!(lags(0), 3);
    });
}
