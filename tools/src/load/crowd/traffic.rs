//! Reading and sending.

use anyhow::Context;
use mio::event::Event;

use super::super::check::Reader;
use super::super::client::{Read, State};
use super::Crowd;

impl Crowd<'_> {
    /// A socket is ready. Readiness is told once, so it is remembered.
    pub(super) fn handle_ready(&mut self, index: usize, event: &Event) -> anyhow::Result<()> {
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        let index = u32::try_from(index)?;
        if client.state == State::In && self.plan.is_stalled(index) {
            return Ok(());
        }
        client.is_ending |= event.is_read_closed() || event.is_error();
        if client.state == State::Connecting {
            self.handle_connected(index)?;
        }
        if event.is_writable()
            && let Some(talker) = self.talkers.get_mut(index as usize)
        {
            talker.handle_writable();
            self.invite(index);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.enqueue(index);
        }
        Ok(())
    }

    fn enqueue(&mut self, index: u32) {
        let client = &mut self.clients[index as usize];
        if !client.is_queued {
            client.is_queued = true;
            self.ready.push_back(index);
        }
    }

    /// Lets a talker talk, if it can and may.
    pub(super) fn invite(&mut self, index: u32) {
        let is_in = self.clients[index as usize].state == State::In;
        let talker = &mut self.talkers[index as usize];
        if is_in && talker.is_eager() && !talker.is_queued {
            talker.is_queued = true;
            self.eager.push_back(index);
        }
    }

    /// One read of a client, and what it read.
    pub(super) fn read(&mut self, index: u32) -> anyhow::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let client = &mut self.clients[index as usize];
        client.is_queued = false;
        let (name, read) = (client.name, client.read(&mut buffer));
        let read = read.with_context(|| format!("c{name} cannot read on"))?;
        if let Read::Some(count) | Read::Last(count) = read {
            self.heard_ns = self.now_ns;
            self.take(index, &buffer[..count])?;
        }
        self.buffer = buffer;
        match read {
            Read::Some(_) => self.enqueue(index),
            Read::End => self.handle_end(index)?,
            Read::Last(_) | Read::Nothing => {}
        }
        Ok(())
    }

    fn take(&mut self, index: u32, input: &[u8]) -> anyhow::Result<()> {
        let mut taken = self.take_welcome(index, input)?;
        let client = &mut self.clients[index as usize];
        if matches!(client.state, State::In | State::Leaving) {
            let now_ns = self.clock.ns();
            let mut reader = Reader { index, read: &mut client.read };
            taken += self.check.take(&mut reader, &input[taken..], now_ns, &mut self.tally)?;
        }
        client.keep(&input[taken..]);
        while let Some(sender) = self.tally.arrived.pop() {
            self.talkers[sender as usize].handle_arrival();
            self.invite(sender);
        }
        Ok(())
    }

    /// One write of a talker.
    pub(super) fn send(&mut self, index: u32) -> anyhow::Result<()> {
        let talker = &mut self.talkers[index as usize];
        talker.is_queued = false;
        let socket = self.clients[index as usize].socket()?;
        let now_ns = self.clock.ns();
        let begun = talker.send(socket, now_ns, &mut self.scratch);
        let begun = begun.with_context(|| format!("c{index} cannot talk on"))?;
        let is_private = self.plan.partner(index).is_some();
        let readers = if is_private { 1 } else { self.plan.readers() };
        self.due += u64::from(begun) * u64::from(readers);
        self.invite(index);
        Ok(())
    }
}
