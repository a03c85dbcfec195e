//! The states of a connection over HTTP/1 (RFC 9112 §9), as one table.
//!
//! Two sides take turns on a connection: the client sends a request, we send the response to it. Each side
//! has its state, and what either does is an event. A third state says whether the connection persists
//! (§9.3); it only ever goes from yes to no. All rules about what may follow what are rows of
//! [`State::after`]; there is no I/O here, and no other place remembers where a connection stands.

/// What the client's side of a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientState {
    /// No request has begun.
    Idle,
    /// The head of a request came; its body comes after `100 Continue` (RFC 9110 §10.1.1).
    AwaitingContinue,
    /// The head of a request came, its body is coming.
    SendingBody,
    /// The body is coming still, and is read for its end only.
    BodyDiscarded,
    /// The request is complete.
    Done,
    /// What came is no request, so that nothing behind it can be taken for one.
    Error,
    /// The client closed the connection.
    Closed,
    /// The client speaks another protocol now (RFC 9110 §7.8).
    SwitchedProtocol,
}

/// What our side of a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// No request has begun.
    Idle,
    /// A request is to be answered; interim responses may go before the final one.
    SendResponse,
    /// The final response has begun.
    SendingBody,
    /// The end of the response waits to be written.
    Flushing,
    /// The response was written.
    Done,
    /// The response was written, and the connection is to be closed.
    MustClose,
    /// The response broke off; the client must not take it for a whole one.
    Error,
    /// Nothing more is sent.
    Closed,
    /// We speak another protocol now.
    SwitchedProtocol,
}

/// What happens on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The client sent the head of a request.
    Request,
    /// The client wants `100 Continue` before it sends its body.
    ExpectContinue,
    /// The client sent a piece of its request's body.
    RequestData,
    /// The client sent the end of its request.
    RequestEnd,
    /// Nothing wants the request's body any more.
    Discard,
    /// The client sent what cannot be read, or too little in its time.
    Malformed,
    /// The client closed the connection, or it broke.
    Gone,
    /// We send `100 Continue`.
    Continue,
    /// We send another interim response.
    Interim,
    /// We send status 101 and change over to the protocol that the client asked for.
    Switch,
    /// We send the head of the final response.
    Response,
    /// We send a piece of the response's body.
    ResponseData,
    /// We send the end of the response.
    ResponseEnd,
    /// All that we sent was written.
    Written,
    /// We cannot go on with the response.
    Break,
    /// We close our half of the connection.
    Close,
    /// Both sides are ready for the next request.
    NextRequest,
}

/// What is to be done with a connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next request is read.
    Request,
    /// The rest of the request is read, and then the next one.
    Rest,
    /// It is closed once the client has had the chance to read the response.
    Close,
    /// It is broken or over: dropped.
    Drop,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    client: ClientState,
    server: ServerState,
    persists: bool,
}

impl State {
    /// A connection that was just opened.
    pub const OPENED: Self =
        Self { client: ClientState::Idle, server: ServerState::Idle, persists: true };

    /// The table: what both sides are at after `event`; nothing where it has no place.
    #[rustfmt::skip]
    const fn after(self, event: Event) -> Option<(ClientState, ServerState)> {
        use ClientState as C;
        use ServerState as S;
        Some(match (event, self.client, self.server) {
            // What the client does. A body may go on coming while its response is sent, and after it.
            (Event::Request,        C::Idle,             S::Idle)         => (C::SendingBody, S::SendResponse),
            (Event::ExpectContinue, C::SendingBody,      S::SendResponse) => (C::AwaitingContinue, S::SendResponse),
            // It need not wait for `100 Continue` for ever.
            (Event::RequestData,    C::AwaitingContinue, s)               => (C::SendingBody, s),
            (Event::RequestData,    C::SendingBody,      s)               => (C::SendingBody, s),
            (Event::RequestData,    C::BodyDiscarded,    s)               => (C::BodyDiscarded, s),
            (Event::RequestEnd,     C::AwaitingContinue, s)               => (C::Done, s),
            (Event::RequestEnd,     C::SendingBody,      s)               => (C::Done, s),
            (Event::RequestEnd,     C::BodyDiscarded,    s)               => (C::Done, s),
            (Event::Discard,        C::SendingBody,      s)               => (C::BodyDiscarded, s),
            // What is no request is answered as well.
            (Event::Malformed,      C::Idle,             S::Idle)         => (C::Error, S::SendResponse),
            (Event::Malformed,      C::AwaitingContinue, s)               => (C::Error, s),
            (Event::Malformed,      C::SendingBody,      s)               => (C::Error, s),
            (Event::Malformed,      C::BodyDiscarded,    s)               => (C::Error, s),
            (Event::Malformed,      C::Error,            s)               => (C::Error, s),
            (Event::Gone,           _,                   s)               => (C::Closed, s),

            // What we do.
            (Event::Continue,       C::AwaitingContinue, S::SendResponse) => (C::SendingBody, S::SendResponse),
            (Event::Interim,        c,                   S::SendResponse) => (c, S::SendResponse),
            // Only a whole request can be the last in its protocol.
            (Event::Switch,         C::Done,             S::SendResponse) => (C::SwitchedProtocol, S::SwitchedProtocol),
            (Event::Response,       c,                   S::SendResponse) => (c, S::SendingBody),
            (Event::ResponseData,   c,                   S::SendingBody)  => (c, S::SendingBody),
            (Event::ResponseEnd,    c,                   S::SendingBody)  => (c, S::Flushing),
            (Event::Written,        c,                   S::Flushing) if self.persists => (c, S::Done),
            (Event::Written,        c,                   S::Flushing)     => (c, S::MustClose),
            (Event::Break,          c,                   _)               => (c, S::Error),
            (Event::Close,          c,                   S::Done | S::MustClose) => (c, S::Closed),

            // What both have done.
            (Event::NextRequest,    C::Done,             S::Done)         => (C::Idle, S::Idle),
            _ => return None,
        })
    }

    /// Whether `event` has its place now.
    pub const fn allows(self, event: Event) -> bool {
        self.after(event).is_some()
    }

    /// Take note of `event`. One that has no place here is a fault of ours: the connection is given up.
    pub fn on(&mut self, event: Event) {
        debug_assert!(self.allows(event), "{event:?} at {self:?}");
        (self.client, self.server) =
            self.after(event).unwrap_or((ClientState::Error, ServerState::Error));
    }

    /// The connection is to be closed after the response.
    pub fn close_after(&mut self) {
        self.persists = false;
    }

    /// Whether the connection is to stay open after the response, as far as it is known by now.
    pub const fn persists(self) -> bool {
        self.persists
    }

    /// What the client's side is at.
    pub const fn client(self) -> ClientState {
        self.client
    }

    /// Whether the client's request is complete.
    pub const fn is_request_done(self) -> bool {
        matches!(self.client, ClientState::Done)
    }

    /// What is to be done after a response.
    pub const fn next(self) -> Next {
        match (self.client, self.server) {
            (ClientState::Done, ServerState::Done) => Next::Request,
            (ClientState::SendingBody | ClientState::BodyDiscarded, ServerState::Done) => {
                Next::Rest
            }
            (_, ServerState::Done | ServerState::MustClose) => Next::Close,
            _ => Next::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection on which this has happened.
    fn past(events: &[Event]) -> State {
        let mut state = State::OPENED;
        events.iter().for_each(|event| state.on(*event));
        state
    }

    use Event::{
        Break, Close, Continue, Discard, ExpectContinue, Gone, Interim, Malformed, NextRequest,
        Request, RequestData, RequestEnd, Response, ResponseData, ResponseEnd, Switch, Written,
    };

    #[test]
    fn requests_follow_one_another() {
        let mut state = State::OPENED;
        for _ in 0..3 {
            for event in [Request, RequestData, RequestEnd, Response, ResponseData, ResponseEnd] {
                state.on(event);
            }
            state.on(Written);
            assert_eq!(state.next(), Next::Request);
            state.on(NextRequest);
        }
        assert_eq!(state, State::OPENED);
    }

    #[test]
    fn a_connection_that_does_not_persist_is_closed_after_the_response() {
        let mut state = past(&[Request, RequestEnd]);
        state.close_after();
        for event in [Response, ResponseEnd, Written] {
            state.on(event);
        }
        assert_eq!(state.next(), Next::Close);
        assert!(!state.allows(NextRequest) && state.allows(Close));
    }

    #[test]
    fn the_rest_of_a_request_is_read_before_the_next_one() {
        let mut early = past(&[Request, Discard, Response, ResponseEnd, Written]);
        assert_eq!(early.next(), Next::Rest);
        assert!(!early.allows(NextRequest));
        for event in [RequestData, RequestEnd] {
            early.on(event);
        }
        assert_eq!(early.next(), Next::Request);
    }

    #[test]
    fn no_request_follows_what_is_none() {
        for events in [&[Malformed][..], &[Request, Malformed, Malformed]] {
            let mut refused = past(events);
            for event in [Response, ResponseEnd, Written] {
                refused.on(event);
            }
            assert_eq!(refused.next(), Next::Close);
            assert!(!refused.allows(NextRequest));
        }
    }

    #[test]
    fn nothing_interim_follows_the_final_response() {
        let answered = past(&[Request, ExpectContinue, Response]);
        assert!(!answered.allows(Interim) && !answered.allows(Continue));
        assert!(!State::OPENED.allows(Interim));
        assert!(past(&[Request, RequestEnd]).allows(Interim));
    }

    #[test]
    fn a_client_is_asked_once_to_continue_and_not_where_it_has_begun() {
        let waits = past(&[Request, ExpectContinue]);
        assert!(waits.allows(Continue));
        assert!(!past(&[Request, ExpectContinue, Continue]).allows(Continue));
        assert!(!past(&[Request, ExpectContinue, RequestData]).allows(Continue));
        assert!(!past(&[Request]).allows(Continue));
    }

    #[test]
    fn only_a_whole_request_switches_protocols_and_only_before_its_response() {
        assert!(past(&[Request, RequestEnd]).allows(Switch));
        assert!(!past(&[Request, RequestData]).allows(Switch));
        assert!(!past(&[Request, RequestEnd, Response]).allows(Switch));
        assert_eq!(past(&[Request, RequestEnd, Switch]).next(), Next::Drop);
    }

    #[test]
    fn a_connection_whose_response_breaks_off_or_whose_client_left_is_dropped() {
        assert_eq!(past(&[Request, RequestEnd, Response, Break]).next(), Next::Drop);
        assert_eq!(past(&[Request, RequestEnd, Gone]).next(), Next::Drop);
    }

    #[test]
    fn a_client_that_has_closed_its_half_may_still_be_answered() {
        assert!(past(&[Request, Gone]).allows(Response));
    }
}
