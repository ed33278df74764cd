//! How a worker ends, for people.
//!
//! Owns what they are told of it, and whether the process begins anew.

use super::{LogLine, Process};
use crate::cluster::message::Refused;
use crate::cluster::worker::Exit;

impl Process {
    /// What follows, or what a person should know of the end.
    pub(super) fn ended(self, exit: Exit, tell: &impl Fn(LogLine)) -> Result<Exit, String> {
        // The last messages are on their way.
        drop(self.links);
        match exit {
            Exit::Done | Exit::Again => Ok(exit),
            Exit::Refused(Refused::OtherRun) => {
                let text = "the master has gone on to another run: what this worker measured last \
                            is in no figure";
                tell(LogLine::Says(text.to_owned()));
                Ok(Exit::Again)
            }
            Exit::Refused(Refused::Version) => {
                Err("the master is another version of Katydid: both have to be the same".to_owned())
            }
            Exit::Refused(Refused::Token) => {
                Err("the master does not know this token: --cluster-token".to_owned())
            }
            Exit::Refused(Refused::Over) => {
                Err("the master's run is over, and it starts no other".to_owned())
            }
            Exit::Refused(Refused::Cloned) => Err(
                "another process says that it is this worker: is this machine a copy of another \
                 one that runs?"
                    .to_owned(),
            ),
            Exit::Refused(Refused::Full) => {
                Err("the master has as many workers as it takes".to_owned())
            }
            Exit::Stranger => Err(format!(
                "who answers at {} does not know the token: --cluster-token",
                self.options.master
            )),
            Exit::Abandoned => Err(format!(
                "there was no master for {:?}: users went on for {:?}, and then the numbers of {} \
                 requests waited as long again for one; they are lost",
                2 * self.options.alone,
                self.options.alone,
                self.reported
            )),
            Exit::Nonsense => Err("the master contradicts itself".to_owned()),
        }
    }
}
