//! Questions of users until they are answered.
//!
//! Owns which are open and which were taken back. The answer to one that was taken back may be on
//! its way: what it brings is given back, so nothing is lost with a user.

use std::collections::BTreeMap;

use super::message::{Answer, Ask, Said};

#[derive(Clone, Debug)]
struct Question {
    ask: Ask,
    is_cancelled: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Questions(BTreeMap<u64, Question>);

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// A user waits for it.
    Answer(Answer),
    /// Nobody does: this is said to the master.
    Say(Said),
    Nothing,
}

/// What is said of an answer that nobody waits for any longer.
pub(super) fn unclaimed(ask: &Ask, answer: Answer) -> Option<Said> {
    match (answer, ask) {
        (Answer::Taken(Some(value)), Ask::Take(queue) | Ask::TryTake(queue)) => {
            Some(Said::Back(queue.clone(), value))
        }
        (Answer::Make(turn), Ask::Once(name)) => Some(Said::Passed(name.clone(), turn)),
        (Answer::Range(of, range), _) => Some(Said::Returned(of, range)),
        _ => None,
    }
}

impl Questions {
    pub(super) fn ask(&mut self, number: u64, ask: Ask) {
        let question = Question {
            ask,
            is_cancelled: false,
        };
        self.0.insert(number, question);
    }

    /// Its user is gone; true if it is open.
    pub(super) fn cancel(&mut self, number: u64) -> bool {
        match self.0.get_mut(&number) {
            // What was put stays put, and what was made or written was made and written.
            Some(question) if !matches!(question.ask, Ask::Made(..) | Ask::Append(_)) => {
                !std::mem::replace(&mut question.is_cancelled, true)
            }
            _ => false,
        }
    }

    pub(super) fn answered(&mut self, number: u64, answer: Answer) -> Reply {
        let Some(question) = self.0.remove(&number) else {
            return Reply::Nothing;
        };
        if !question.is_cancelled {
            return Reply::Answer(answer);
        }
        match unclaimed(&question.ask, answer) {
            Some(said) => Reply::Say(said),
            None => Reply::Nothing,
        }
    }

    /// A master without letters of an earlier connection is asked again; what was taken back is
    /// not asked for.
    pub(super) fn again(&mut self) -> Vec<Said> {
        self.0.retain(|_, question| !question.is_cancelled);
        let open = self.0.iter();
        open.map(|(number, question)| Said::Ask(*number, question.ask.clone()))
            .collect()
    }

    /// Whether a range of a source is open.
    pub(super) fn want_numbers(&self) -> bool {
        let mut open = self.0.values();
        open.any(|question| matches!(question.ask, Ask::Range(..)))
    }

    pub(super) fn is_open(&self, number: u64) -> bool {
        let question = self.0.get(&number);
        question.is_some_and(|question| !question.is_cancelled)
    }

    pub(super) fn open(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Value;

    #[test]
    fn what_comes_for_a_user_that_has_gone_is_given_back() {
        let mut questions = Questions::default();
        let element = Answer::Taken(Some(Value::Int(7)));
        for number in 1..=3 {
            questions.ask(number, Ask::Take("q".into()));
        }
        assert!(questions.cancel(2) && !questions.cancel(2) && !questions.cancel(9));
        let answered = questions.answered(1, element.clone());
        assert_eq!(answered, Reply::Answer(element.clone()));
        assert_eq!(questions.answered(1, element.clone()), Reply::Nothing);
        let back = Said::Back("q".into(), Value::Int(7));
        assert_eq!(questions.answered(2, element), Reply::Say(back));
        questions.ask(4, Ask::Once("v".into()));
        assert!(questions.cancel(4));
        let passed = Said::Passed("v".into(), 5);
        assert_eq!(
            questions.clone().answered(4, Answer::Make(5)),
            Reply::Say(passed)
        );
        assert_eq!(questions.answered(4, Answer::Cancelled), Reply::Nothing);
        questions.ask(5, Ask::Once("v".into()));
        questions.cancel(5);
        assert_eq!(questions.again(), [Said::Ask(3, Ask::Take("q".into()))]);
        assert_eq!(questions.open(), 1);
    }
}
