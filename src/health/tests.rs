//! What is answered when, and over real sockets.
//!
//! The clock is passed in: nothing here waits.

use super::*;

fn after(seconds: u64) -> Micros {
    clock::now() + Duration::from_secs(seconds)
}

#[test]
fn who_stands_still_is_named_and_is_neither_alive_nor_ready() {
    let health = Health::default();
    let _still = health.part("the cluster thread");
    health.set_ready(true);
    assert_eq!(health.answer(Question::Alive, after(9)).0, 200);
    let (status, text) = health.answer(Question::Alive, after(12));
    assert_eq!(status, 503);
    assert_eq!(text, "the cluster thread has not moved for 12 s\n");
    assert_eq!(health.answer(Question::Ready, after(12)).0, 503);
}

#[test]
fn one_part_that_moves_does_not_hide_another() {
    let health = Health::default();
    let (moving, _still) = (health.part("moving"), health.part("still"));
    let later = after(60);
    moving.moved.store(later.get(), Ordering::Relaxed);
    let (status, text) = health.answer(Question::Alive, later);
    assert_eq!(status, 503);
    assert!(text.starts_with("still has not moved"), "{text}");
}

#[test]
fn it_answers_on_a_port_and_can_be_asked() {
    let health = Health::default();
    let port = serve(0, health.clone()).unwrap().port();
    let ok = (true, "ok".to_owned());
    assert_eq!(ask(port, Question::Alive).unwrap(), ok);
    let not_yet = (false, "not ready yet".to_owned());
    assert_eq!(ask(port, Question::Ready).unwrap(), not_yet);
    health.set_ready(true);
    assert_eq!(ask(port, Question::Ready).unwrap(), ok);
    assert_eq!(Question::at("/"), None);
    assert!(serve(port, health).is_err(), "the port is taken");
}

#[test]
fn who_is_silent_keeps_nobody_from_asking() {
    let port = serve(0, Health::default()).unwrap().port();
    let _silent: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    assert!(ask(port, Question::Alive).unwrap().0);
}
