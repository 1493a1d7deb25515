//! A relay for tests and simulations: keeps what it gets, and fails where and how it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pressrun::model::{DeliveryId, EmailAddress};
use pressrun::relay::{Doing, Envelope, Failure, Phase, Relay, Reply, Session, Verdict};

/// What the relay is asked to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Connect, MailFrom, RcptTo, Data, Body or Answer.
    pub phase: Phase,
    /// The delivery and its envelope; none at Connect.
    pub mail: Option<(DeliveryId, Envelope)>,
    /// How many final dots came before, over all sessions.
    pub dots: usize,
}

/// What it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Goes on.
    Accept,
    /// Says no; a 421 ends the session.
    Refuse(Reply),
    /// Drops the line before it hears; at Answer the final dot is lost on the way.
    Drop,
    /// At Answer: takes the message and drops the line without a word. Elsewhere the same as `Drop`.
    TakeAndDrop,
    /// Never goes on; at Answer the final dot is lost on the way.
    Hang,
    /// At Answer: takes the message, and its answer never comes. Elsewhere the same as `Hang`.
    TakeAndHang,
}

/// A final dot that we wrote, in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalDot {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// From whom to whom.
    pub envelope: Envelope,
    /// The message's bytes.
    pub message: Vec<u8>,
    /// Whether the reader has it now.
    pub is_delivered: bool,
    /// Over which session, counted from 1.
    pub session: usize,
    /// What the relay did.
    pub act: Act,
}

/// The relay; its clones share what they got.
#[derive(Clone)]
pub struct Memory {
    decide: Arc<dyn Fn(&Step) -> Act + Send + Sync>,
    dots: Arc<Mutex<Vec<FinalDot>>>,
    sessions: Arc<AtomicUsize>,
    connections: usize,
    name: &'static str,
}

impl Memory {
    /// Takes everything.
    pub fn accepting() -> Memory {
        Memory::deciding(|_| Act::Accept)
    }

    /// Asks `decide` at every step.
    pub fn deciding(decide: impl Fn(&Step) -> Act + Send + Sync + 'static) -> Memory {
        let (dots, sessions) = (Arc::default(), Arc::default());
        Memory { decide: Arc::new(decide), dots, sessions, connections: 2, name: "memory" }
    }

    /// The same with so many sessions at once.
    pub fn with_connections(self, connections: usize) -> Memory {
        Memory { connections, ..self }
    }

    /// The same under another name.
    pub fn called(self, name: &'static str) -> Memory {
        Memory { name, ..self }
    }

    /// Every final dot so far, in order.
    pub fn final_dots(&self) -> Vec<FinalDot> {
        self.recorded().clone()
    }

    fn recorded(&self) -> MutexGuard<'_, Vec<FinalDot>> {
        self.dots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, phase: Phase, mail: Option<(DeliveryId, Envelope)>) -> Act {
        let dots = self.recorded().len();
        (self.decide)(&Step { phase, mail, dots })
    }
}

impl Relay for Memory {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn connections(&self) -> usize {
        self.connections
    }

    fn connect(&self) -> Doing<'_, Result<Box<dyn Session>, Failure>> {
        Box::pin(async {
            let session = self.sessions.fetch_add(1, Ordering::SeqCst) + 1;
            let mut talk = Talk { memory: self.clone(), session, offered: None, is_usable: true };
            talk.step(Phase::Connect, None).await?;
            Ok(Box::new(talk) as Box<dyn Session>)
        })
    }
}

struct Talk {
    memory: Memory,
    session: usize,
    offered: Option<FinalDot>,
    is_usable: bool,
}

impl Session for Talk {
    fn offer<'a>(
        &'a mut self,
        delivery: &'a DeliveryId,
        envelope: &'a Envelope,
        message: &'a [u8],
    ) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async move {
            if !self.is_usable || self.offered.is_some() {
                self.is_usable = false;
                return Err(Failure::line(Phase::MailFrom, "the line cannot be used any more"));
            }
            for phase in [Phase::MailFrom, Phase::RcptTo, Phase::Data, Phase::Body] {
                self.step(phase, Some((delivery.clone(), envelope.clone()))).await?;
            }
            self.offered = Some(FinalDot {
                delivery: delivery.clone(),
                envelope: envelope.clone(),
                message: message.to_vec(),
                is_delivered: false,
                session: self.session,
                act: Act::Accept,
            });
            Ok(())
        })
    }

    fn finish<'a>(&'a mut self, _: Option<(&'a Envelope, usize)>) -> Doing<'a, Result<Reply, Failure>> {
        Box::pin(async {
            let Some(mut dot) = self.offered.take() else {
                return Err(Failure::line(Phase::Body, "no message has been offered"));
            };
            let act = self.memory.act(Phase::Answer, Some((dot.delivery.clone(), dot.envelope.clone())));
            dot.is_delivered = matches!(act, Act::Accept | Act::TakeAndDrop | Act::TakeAndHang);
            dot.act = act.clone();
            self.memory.recorded().push(dot);
            self.outcome(Phase::Answer, act).await?;
            Ok(Reply { code: 250, enhanced: Some("2.0.0".to_owned()), text: "taken".to_owned() })
        })
    }

    fn is_usable(&self) -> bool {
        self.is_usable
    }
}

impl Talk {
    async fn step(&mut self, phase: Phase, mail: Option<(DeliveryId, Envelope)>) -> Result<(), Failure> {
        let act = self.memory.act(phase, mail);
        self.outcome(phase, act).await
    }

    async fn outcome(&mut self, phase: Phase, act: Act) -> Result<(), Failure> {
        self.is_usable = match &act {
            Act::Accept => true,
            Act::Refuse(reply) => reply.code != 421,
            Act::Drop | Act::TakeAndDrop | Act::Hang | Act::TakeAndHang => false,
        };
        match act {
            Act::Accept => Ok(()),
            Act::Refuse(reply) => Err(Failure::reply(phase, reply)),
            Act::Drop | Act::TakeAndDrop => Err(Failure::line(phase, "the relay closed the line")),
            Act::Hang | Act::TakeAndHang => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn memory_fails_as_it_is_told_and_keeps_the_dots() {
    let memory = Memory::deciding(|step| match (step.phase, step.dots) {
        (Phase::Answer, 1) => Act::TakeAndDrop,
        (Phase::Answer, 2) => Act::Drop,
        (Phase::RcptTo, 3) => Act::Refuse(Reply::parse("450 4.2.0 later").unwrap()),
        _ => Act::Accept,
    });
    let check = async |expected: Option<(Phase, Verdict)>, is_usable: bool| {
        let (id, to) = (DeliveryId::new("2a"), EmailAddress::parse("reader@example.org").unwrap());
        let mut session = memory.connect().await.unwrap();
        let offered = session.offer(&id, &Envelope { from: to.clone(), to }, b"Hello\r\n").await;
        let done = if offered.is_ok() { session.finish(None).await.map(drop) } else { offered };
        let failed = done.err().map(|failure| (failure.phase, failure.verdict()));
        assert_eq!((failed, session.is_usable()), (expected, is_usable));
    };
    check(None, true).await;
    check(Some((Phase::Answer, Verdict::Uncertain)), false).await;
    check(Some((Phase::Answer, Verdict::Uncertain)), false).await;
    check(Some((Phase::RcptTo, Verdict::NotNow)), true).await;
    let delivered: Vec<bool> = memory.final_dots().iter().map(|dot| dot.is_delivered).collect();
    assert_eq!(delivered, [true, true, false]);
}
