//! Carries bytes both ways between two connections. An idle pair holds no buffer: what is read
//! goes through the stack, and only what the other side does not take at once is kept.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// Bytes that are carried at once, and kept at most for a side that does not read.
const CHUNK: usize = 8 << 10;

/// One direction.
#[derive(Default)]
struct Half {
    kept: Vec<u8>,
    written: usize,
    unflushed: bool,
    ended: bool,
    closed: bool,
}

/// Carries bytes until both sides have ended, one breaks, or nothing moved for `idle`.
pub(crate) async fn pump<A, B>(mut one: A, mut other: B, idle: Duration) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Half::default(), Half::default());
    let mut quiet = pin!(sleep(idle));
    poll_fn(|cx| {
        let mut moved = false;
        let there = there.carry(cx, &mut one, &mut other, &mut moved)?;
        let back = back.carry(cx, &mut other, &mut one, &mut moved)?;
        if there.is_ready() && back.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if moved {
            quiet.as_mut().reset(Instant::now() + idle);
        }
        quiet.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

impl Half {
    fn carry<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        moved: &mut bool,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        loop {
            while let Some(rest) = self.kept.get(self.written..).filter(|rest| !rest.is_empty()) {
                // Not reading on while this waits is what slows the sender down.
                match ready!(Pin::new(&mut *to).poll_write(cx, rest))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.written += written,
                }
                *moved = true;
            }
            (self.kept, self.written) = (Vec::new(), 0);
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.closed = true;
                return Poll::Ready(Ok(()));
            }
            let mut space = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut space);
            if Pin::new(&mut *from).poll_read(cx, &mut buffer)?.is_pending() {
                if self.unflushed {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            }
            self.ended = buffer.filled().is_empty();
            (*moved, self.unflushed) = (true, true);
            self.kept = Self::rest(Pin::new(&mut *to), cx, buffer.filled())?;
        }
    }

    /// Writes what goes at once; returns what did not.
    fn rest<W: AsyncWrite>(
        to: Pin<&mut W>,
        cx: &mut Context<'_>,
        read: &[u8],
    ) -> io::Result<Vec<u8>> {
        if read.is_empty() {
            return Ok(Vec::new());
        }
        let written = match to.poll_write(cx, read)? {
            Poll::Ready(written) => written,
            Poll::Pending => 0,
        };
        Ok(read.get(written..).unwrap_or_default().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const IDLE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn bytes_go_both_ways_and_each_end_is_passed_on() {
        let ((mut client, outer), (mut service, inner)) = (duplex(64), duplex(16));
        let pumping = tokio::spawn(pump(outer, inner, IDLE));
        client.write_all(b"ping").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        service.read_to_string(&mut heard).await.unwrap();
        // The client has ended its half only: the answer still arrives.
        let answer = vec![7; 100_000];
        let sent = answer.clone();
        let service = tokio::spawn(async move {
            service.write_all(&sent).await.unwrap();
            service.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        assert_eq!((heard.as_str(), read), ("ping", answer));
        service.await.unwrap();
        assert!(pumping.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_side_that_does_not_read_slows_the_other_down() {
        let ((mut client, outer), (service, inner)) = (duplex(64), duplex(64));
        let pumping = pump(outer, inner, IDLE);
        let mut sent = 0;
        let sending = async {
            loop {
                client.write_all(&[0; 64]).await.unwrap();
                sent += 64;
            }
        };
        // Polled until neither can go on: then what is on the way is bounded.
        let (mut pumping, mut sending) = (Box::pin(pumping), Box::pin(sending));
        for _ in 0..10_000 {
            assert!(futures::poll!(&mut pumping).is_pending());
            assert!(futures::poll!(&mut sending).is_pending());
        }
        drop(sending);
        assert!(sent <= CHUNK + 3 * 64, "{sent}");
        drop(service);
    }

    #[tokio::test]
    async fn a_pair_that_says_nothing_is_closed() {
        let ((client, outer), (service, inner)) = (duplex(64), duplex(64));
        let ended = pump(outer, inner, Duration::ZERO).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        drop((client, service));
    }
}
