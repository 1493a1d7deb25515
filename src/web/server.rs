//! Accepts connections, bounds what each may cost, and closes them in order when the program ends.
//!
//! A request's head has 10 s to arrive, and so has the next one on an idle connection; a body and a reader who takes
//! nothing have bounds of their own. When every seat is taken, whoever has waited longest without a whole request makes
//! room, so that a crowd of slow clients does not keep a reader out.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::sending::stopping;

use super::patience::Patient;

/// Connections at once; well below the usual 1,024 open files of a process.
const SEATS: usize = 512;
/// How long a request's head may take, and how long a connection may wait for its next request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How large a head may be.
const LARGEST_HEAD: usize = 32 * 1024;
/// How many headers it may have.
const MOST_HEADERS: usize = 64;
/// How long answers under way may take once the program ends.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";

/// Has `answer` answer requests until `shutdown` turns true; then takes no more, and ends when those under way are
/// answered.
pub(super) async fn serve<A: Future<Output = Response<Body>> + Send + 'static>(
    answer: impl Fn(Request<Incoming>, SocketAddr) -> A + Clone + Send + Sync + 'static,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut ended = shutdown.clone();
    let seats = Arc::new(Seats::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping(&mut ended) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(answer.clone(), seats.clone(), stream, peer, shutdown.clone()));
                }
                Err(error) => {
                    // Too many open files, or a client that is gone already: neither ends the others.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_WITHIN, all_ended).await.is_err() {
        tracing::warn!("some answers did not end in time");
    }
    Ok(())
}

async fn connection<A: Future<Output = Response<Body>> + Send + 'static>(
    answer: impl Fn(Request<Incoming>, SocketAddr) -> A + Clone + Send + Sync + 'static,
    seats: Arc<Seats>,
    mut stream: TcpStream,
    peer: SocketAddr,
    mut shutdown: watch::Receiver<bool>,
) {
    let Some(seat) = seats.take() else {
        let _ = timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
        return;
    };
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let (answer, seat) = (answer.clone(), seat.clone());
        async move {
            // A form's body is still to come, at the client's pace.
            let _busy = (request.method() != Method::POST).then(|| Busy::new(&seat));
            Ok::<_, Infallible>(answer(request, peer).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let mut is_over = false;
    loop {
        tokio::select! {
            _ = connection.as_mut() => break,
            () = seat.leave.notified() => break,
            () = stopping(&mut shutdown), if !is_over => {
                is_over = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    seats.give_back(&seat);
}

/// Who is connected.
#[derive(Default)]
struct Seats(Mutex<Vec<Arc<Seat>>>);

/// One connection's.
struct Seat {
    /// Since when its client has kept us waiting; none: we are at work for it.
    waiting_since: Mutex<Option<Instant>>,
    leave: Notify,
}

impl Seats {
    /// A seat, if need be that of whoever has waited longest; none if all are being served.
    fn take(&self) -> Option<Arc<Seat>> {
        let mut seats = locked(&self.0);
        if seats.len() >= SEATS {
            let waiting = seats.iter().enumerate();
            let waiting = waiting.filter_map(|(place, seat)| locked(&seat.waiting_since).map(|since| (since, place)));
            let (_, place) = waiting.min()?;
            seats.swap_remove(place).leave.notify_one();
        }
        let seat = Arc::new(Seat { waiting_since: Mutex::new(Some(Instant::now())), leave: Notify::new() });
        seats.push(seat.clone());
        Some(seat)
    }

    fn give_back(&self, seat: &Arc<Seat>) {
        locked(&self.0).retain(|taken| !Arc::ptr_eq(taken, seat));
    }
}

/// While it lives, the seat is not taken away.
struct Busy<'s>(&'s Seat);

impl Busy<'_> {
    fn new(seat: &Seat) -> Busy<'_> {
        *locked(&seat.waiting_since) = None;
        Busy(seat)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *locked(&self.0.waiting_since) = Some(Instant::now());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_longest_makes_room_and_who_is_served_stays() {
        let seats = Seats::default();
        let taken: Vec<_> = (0..SEATS).map(|_| seats.take().unwrap()).collect();
        let served = Busy::new(&taken[0]);
        let newest = seats.take().unwrap();
        let seated = |seat: &Arc<Seat>| locked(&seats.0).iter().any(|taken| Arc::ptr_eq(taken, seat));
        assert!(seated(&taken[0]) && seated(&newest) && !seated(&taken[1]));
        assert_eq!(locked(&seats.0).len(), SEATS);
        drop(served);
        seats.give_back(&newest);
        assert_eq!(locked(&seats.0).len(), SEATS - 1);
    }

    #[test]
    fn when_all_are_served_nobody_is_put_out() {
        let seats = Seats::default();
        let taken: Vec<_> = (0..SEATS).map(|_| seats.take().unwrap()).collect();
        let _served: Vec<_> = taken.iter().map(|seat| Busy::new(seat)).collect();
        assert!(seats.take().is_none());
    }
}
