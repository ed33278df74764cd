//! Orders on their way to load threads.
//!
//! Owns that they are carried out one after the other, and that an edition's files are here before
//! load threads get it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use super::FromLoad;
use crate::clock::Micros;
use crate::cluster::asking::Questioner;
use crate::cluster::link::Connection;
use crate::cluster::message::{News, SentOrder};
use crate::data::RationSource;
use crate::runner::elsewhere::{Contents, Happening, Work, Worker as LoadThreads};
use crate::runner::{self, Unable};
use crate::script::Shared;

/// How much memory a file of rows takes: what came, and its rows as users take them, of this edition
/// and of the one after it.
const MEMORY_OF_FILES: u64 = 3;

/// Carries out orders one after the other, fetching files first where an edition needs them. What
/// cannot be carried out costs no more than that order.
pub(super) async fn carry_out(
    mut orders: mpsc::UnboundedReceiver<(SentOrder, Option<Connection>)>,
    load: Rc<RefCell<Option<LoadThreads>>>,
    inside: mpsc::Sender<FromLoad>,
    mut clocks: watch::Receiver<Option<(Micros, Micros)>>,
    who: (u32, Questioner),
) {
    let mut contents = Contents::new();
    while let Some((order, link)) = orders.recv().await {
        let done = match fetch(&order, link.as_ref(), &mut contents).await {
            Ok(()) if matches!(order, SentOrder::Begin { .. }) => {
                begin(order.clone(), &contents, &load, &inside, &who)
            }
            Ok(()) => one(order.clone(), &contents, &load, &mut clocks).await,
            Err(why) => Err(why),
        };
        let Err(why) = done else {
            continue;
        };
        let said = match order {
            SentOrder::Begin { .. } => {
                // Without load threads it cannot be a member; the run goes on without it.
                let _ = inside.send(FromLoad::Unable(why)).await;
                News::Ended { cut: 0 }
            }
            SentOrder::Prepare(ticket, ..) => News::Prepared {
                ticket,
                result: Err(why),
            },
            _ => News::Failed(why),
        };
        let said = Box::new(Happening::Said(said));
        let _ = inside.send(FromLoad::Happens(said)).await;
    }
}

async fn one(
    order: SentOrder,
    contents: &Contents,
    load: &Rc<RefCell<Option<LoadThreads>>>,
    clocks: &mut watch::Receiver<Option<(Micros, Micros)>>,
) -> Result<(), Unable> {
    // A moment of the master's clock means nothing before that is known: the first beat tells.
    let known = clocks.wait_for(Option::is_some).await;
    let Some((there, ours)) = known.ok().and_then(|known| *known) else {
        return Ok(());
    };
    let here = move |moment: Micros| match moment >= there {
        true => ours + Duration::from_micros(moment.since(there)),
        false => ours - Duration::from_micros(there.since(moment)),
    };
    match &*load.borrow() {
        Some(load) => load.order(order, here, contents),
        None => Ok(()),
    }
}

fn begin(
    order: SentOrder,
    contents: &Contents,
    load: &Rc<RefCell<Option<LoadThreads>>>,
    inside: &mpsc::Sender<FromLoad>,
    (index, asker): &(u32, Questioner),
) -> Result<(), Unable> {
    let SentOrder::Begin {
        threads,
        generation,
        edition,
        is_limited,
    } = order
    else {
        return Ok(());
    };
    let asks: Arc<dyn RationSource> = Arc::new(asker.clone());
    let work = Work {
        edition: Arc::new(edition.assembled(contents, Some(asks.clone()))?),
        number: generation,
        threads,
        shared: Arc::new(Shared::of_worker(*index, Arc::new(asker.clone()))),
        is_limited,
        asks: Some(asks),
    };
    let (threads, mut happens) = LoadThreads::start(work)?;
    *load.borrow_mut() = Some(threads);
    let inside = inside.clone();
    spawn_local(async move {
        while let Some(happening) = happens.recv().await {
            if inside
                .send(FromLoad::Happens(Box::new(happening)))
                .await
                .is_err()
            {
                return;
            }
        }
        let _ = inside.send(FromLoad::Ended).await;
    });
    Ok(())
}

/// Fetches the files that an order's edition needs and that are not here.
async fn fetch(
    order: &SentOrder,
    link: Option<&Connection>,
    contents: &mut Contents,
) -> Result<(), Unable> {
    let Some(edition) = order.edition() else {
        return Ok(());
    };
    let wanted = edition.contents();
    fit(wanted.values().sum())?;
    // What no edition at hand needs any longer makes room.
    contents.retain(|content, _| wanted.contains_key(content));
    for (content, size) in wanted {
        if contents.contains_key(&content) {
            continue;
        }
        let missing = |why: String| {
            let name = edition.named(&content);
            Unable::System(format!("{name} has not come from the master: {why}"))
        };
        let link = link.ok_or_else(|| missing("there is no connection".to_owned()))?;
        let bytes = link.fetch(&content, size).await.map_err(missing)?;
        contents.insert(content, bytes);
    }
    Ok(())
}

/// Whether files of so many bytes fit into what this process may use.
fn fit(bytes: u64) -> Result<(), Unable> {
    let allowed = runner::allowed_memory();
    if bytes.saturating_mul(MEMORY_OF_FILES) <= allowed {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    Err(Unable::System(format!(
        "the files of the script take {} MB, and a worker needs {MEMORY_OF_FILES} times as much \
         memory: here it is {} MB in all",
        megabytes(bytes),
        megabytes(allowed)
    )))
}
