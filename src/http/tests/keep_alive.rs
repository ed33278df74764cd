//! Kept-alive connections: reuse, staleness, cancelling, two at once.
//! What happens between two requests of one session; a single exchange is tested in `whole`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use super::super::Error;
use super::*;

#[test]
fn a_connection_is_used_again() {
    on_thread(async {
        let peer = Peer::answering(|_| ok("x")).await;
        let session = session();
        for _ in 0..20 {
            let exchange = session.send(peer.get("/")).await;
            assert_eq!(body(&exchange), "x");
            assert_eq!(exchange.stale_retries, 0);
            assert_adds_up(&exchange);
        }
        assert_eq!((peer.accepted.get(), session.idle_connections()), (1, 1));
        session.close_idle();
        assert_eq!(session.idle_connections(), 0);
        session.send(peer.get("/")).await.result.unwrap();
        assert_eq!(peer.accepted.get(), 2);
    });
}

#[test]
fn connection_close_is_respected() {
    on_thread(async {
        let peer = Peer::answering(|_| respond("200 OK", "connection: close\r\n", "x")).await;
        let session = session();
        for number in 1..=2 {
            let exchange = session.send(peer.get("/")).await;
            assert_eq!((body(&exchange).as_str(), exchange.stale_retries), ("x", 0));
            assert_eq!(
                (peer.accepted.get(), session.idle_connections()),
                (number, 0)
            );
        }
    });
}

#[test]
fn two_at_once_take_two_connections() {
    on_thread(async {
        // Neither is answered before both have arrived.
        let both = Rc::new(tokio::sync::Barrier::new(2));
        let peer = Peer::start(move |_, mut stream| {
            let both = Rc::clone(&both);
            async move {
                while read_request(&mut stream).await.is_some() {
                    both.wait().await;
                    stream.write_all(ok("x").as_bytes()).await.unwrap();
                }
            }
        })
        .await;
        let session = session();
        for _ in 0..3 {
            let (a, b) = tokio::join!(session.send(peer.get("/a")), session.send(peer.get("/b")));
            assert_eq!((body(&a), body(&b)), ("x".into(), "x".into()));
        }
        assert_eq!((peer.accepted.get(), session.idle_connections()), (2, 2));
    });
}

/// Answers the first request of its first connection, then closes once the second has come;
/// later connections answer everything.
async fn closing_on_second() -> Peer {
    Peer::start(|number, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(ok("x").as_bytes()).await.unwrap();
        while read_request(&mut stream).await.is_some() && number > 0 {
            stream.write_all(ok("y").as_bytes()).await.unwrap();
        }
    })
    .await
}

#[test]
fn a_stale_connection_is_replaced_once_and_counted_apart() {
    on_thread(async {
        let peer = closing_on_second().await;
        let session = session();
        session.send(peer.get("/")).await.result.unwrap();
        let exchange = session.send(peer.get("/")).await;
        assert_eq!(body(&exchange), "x");
        assert_eq!((exchange.stale_retries, exchange.retries), (1, 0));
        assert_eq!(peer.accepted.get(), 2);
        assert_adds_up(&exchange);
        assert!(exchange.phases.blocked > 0 && exchange.phases.connect > 0);
    });
}

#[test]
fn a_post_is_not_repeated_once_bytes_were_sent() {
    on_thread(async {
        let peer = closing_on_second().await;
        let session = session();
        session.send(peer.get("/")).await.result.unwrap();
        let exchange = session.send(peer.post("/", "data")).await;
        assert_eq!(exchange.result.as_ref().unwrap_err(), &Error::Stale);
        assert_eq!((exchange.stale_retries, exchange.sent), (0, 4));
        assert_eq!(peer.accepted.get(), 1);
        assert_adds_up(&exchange);
    });
}

/// Answers one request per connection and closes it, telling when it has.
async fn closing_after_one(closed: Rc<Notify>) -> Peer {
    Peer::start(move |_, mut stream| {
        let closed = Rc::clone(&closed);
        async move {
            read_request(&mut stream).await;
            stream.write_all(ok("x").as_bytes()).await.unwrap();
            drop(stream);
            closed.notify_one();
        }
    })
    .await
}

#[test]
fn a_post_on_a_connection_that_is_known_to_be_closed_is_sent_on_a_fresh_one() {
    on_thread(async {
        let closed = Rc::new(Notify::new());
        let peer = closing_after_one(Rc::clone(&closed)).await;
        let session = session();
        session.send(peer.get("/")).await.result.unwrap();
        closed.notified().await;
        // The runtime looks at its sockets before a task that yielded goes on.
        tokio::task::yield_now().await;
        let exchange = session.send(peer.post("/", "data")).await;
        assert_eq!((body(&exchange).as_str(), exchange.sent), ("x", 4));
        assert_eq!((peer.accepted.get(), exchange.stale_retries), (2, 1));
        assert_adds_up(&exchange);
    });
}

#[test]
fn a_closed_connection_is_noticed_while_the_user_waits() {
    on_thread(async {
        let closed = Rc::new(Notify::new());
        let peer = closing_after_one(Rc::clone(&closed)).await;
        let session = session();
        session.send(peer.get("/")).await.result.unwrap();
        // Ready without any other event: the socket itself wakes the waiting user.
        poll_fn(|cx| {
            session.poll_idle(cx);
            match session.idle_connections() {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        let exchange = session.send(peer.get("/")).await;
        assert_eq!((body(&exchange).as_str(), exchange.stale_retries), ("x", 0));
    });
}

#[test]
fn cancelling_closes_the_connection() {
    on_thread(async {
        let (told, gone) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let (tell, went) = (Rc::clone(&told), Rc::clone(&gone));
        let peer = Peer::start(move |number, mut stream| {
            let (tell, went) = (Rc::clone(&tell), Rc::clone(&went));
            async move {
                read_request(&mut stream).await;
                if number == 0 {
                    tell.notify_one();
                    assert!(read_request(&mut stream).await.is_none());
                    went.notify_one();
                } else {
                    stream.write_all(ok("x").as_bytes()).await.unwrap();
                }
            }
        })
        .await;
        let session = session();
        {
            let mut sending = pin!(session.send(peer.get("/")));
            tokio::select! {
                _ = &mut sending => unreachable!("it is never answered"),
                () = told.notified() => {}
            }
        }
        gone.notified().await;
        assert_eq!(session.idle_connections(), 0);
        assert_eq!(body(&session.send(peer.get("/")).await), "x");
    });
}

#[test]
fn a_connection_that_speaks_out_of_turn_is_not_used_again() {
    on_thread(async {
        let peer = Peer::answering(|_| ok("x") + "HTTP/1.1 200 OK\r\n").await;
        let session = session();
        for _ in 0..2 {
            assert_eq!(body(&session.send(peer.get("/")).await), "x");
        }
        assert_eq!(peer.accepted.get(), 2);
    });
}

#[test]
fn a_request_costs_two_polls() {
    on_thread(async {
        let peer = Peer::answering(|_| ok("x")).await;
        let session = session();
        session.send(peer.get("/")).await.result.unwrap();
        let request = peer.get("/");
        // A task of its own: what the test waits for must not poll it.
        let polls = spawn_local(async move {
            let mut polls = 0;
            let mut sending = pin!(session.send(request));
            poll_fn(|cx| {
                polls += 1;
                sending.as_mut().poll(cx).map(drop)
            })
            .await;
            polls
        });
        // One to send, one to receive: hyper's own wake-ups cost none.
        assert_eq!(polls.await.unwrap(), 2);
    });
}

#[test]
fn no_waker_is_held_by_a_session_without_connections() {
    on_thread(async {
        let session = session();
        session.poll_idle(&mut Context::from_waker(Waker::noop()));
        assert_eq!(session.idle_connections(), 0);
    });
}
