//! The flood limit, of a client, of its address and of log-ins; and comings and goings summed up.

use super::*;

/// Limits for what comes from one address, and no others.
fn address(lines: FloodLimit, logins: FloodLimit) -> Limits {
    let client = FloodLimit { rate: 10, burst: 20 };
    Limits { flood: FloodLimits { client, address: lines, logins }, ..limits() }
}

impl Room {
    fn connect_from(&mut self, address: u64, key: usize) {
        self.chat.handle_connect(id(key), address, self.now);
    }

    /// How many lines of these a client says before it has to wait.
    fn says_all(&mut self, key: usize, line: &str) -> usize {
        let mut lines = 0;
        while self.step(key, line) == Step::Next && lines < 1000 {
            self.reads(key);
            lines += 1;
        }
        lines
    }
}

#[test]
fn a_line_costs_a_token_for_each_256_bytes_whatever_becomes_of_it() {
    for (line, lines) in [
        (format!("all {}", "x".repeat(251)), 200),
        (format!("all {}", "x".repeat(252)), 100),
        (format!("all {}", "x".repeat(4090)), 13),
        (format!("@Bob {}", "x".repeat(4090)), 13),
        (format!("@Nobody {}", "x".repeat(4080)), 13),
        ("x".repeat(4095), 13),
    ] {
        let mut room = Room::new(Limits { flood: flood(50, 200), ..limits() });
        for (key, name) in ["Alice", "Bob"].into_iter().enumerate() {
            room.connect(key);
            room.says(key, name);
        }
        assert_eq!(room.says_all(0, &line), lines, "{}", line.len());
    }
    let mut room = Room::new(Limits { flood: flood(50, 200), ..limits() });
    room.connect(0);
    room.says(0, "Alice");
    let too_long = |room: &mut Room| room.chat.handle_frame(id(0), Frame::TooLong, room.now);
    assert_eq!((0..20).take_while(|_| too_long(&mut room) == Step::Next).count(), 12);
}

#[test]
fn an_empty_line_is_free_when_it_is_rare() {
    let mut room = Room::new(Limits { flood: flood(1, 3), ..limits() });
    room.connect(0);
    room.says(0, "Alice");
    for _ in 0..3 {
        room.now += Duration::from_secs(240);
        room.says(0, "");
        assert_eq!(room.says_all(0, "help"), 3, "it has cost nothing");
    }
    room.now += Duration::from_secs(240);
    assert_eq!(room.says_all(0, ""), 1 + 3, "but a flood of them does");
    room.now += Duration::from_secs(3);
    assert_eq!(room.says_all(0, ""), 3, "and so do those that come soon after it");
}

#[test]
fn who_connects_anew_goes_on_with_the_bucket_that_it_had() {
    let mut room = Room::new(address(FloodLimit::OFF, FloodLimit::OFF));
    room.connect_from(7, 0);
    room.says(0, "Alice");
    assert_eq!(room.says_all(0, "all hi"), 20);
    for key in 1..20 {
        room.chat.handle_disconnect(id(key - 1), room.now);
        room.connect_from(7, key);
        room.says(key, &format!("Alice{key}"));
        assert_eq!(room.says_all(key, "all hi"), 0);
        assert!(matches!(room.step(key, ""), Step::Wait(_)), "nor an empty line");
    }
    room.connect_from(8, 20);
    room.says(20, "Bob");
    assert_eq!(room.says_all(20, "all hi"), 20, "whoever comes from elsewhere has its own");
    room.now += Duration::from_secs(1);
    room.connect_from(7, 21);
    room.says(21, "Carol");
    assert_eq!(room.says_all(21, "all hi"), 10);
}

#[test]
fn what_a_newcomer_has_spent_is_spent_when_it_has_a_name() {
    let mut room = Room::new(address(FloodLimit::OFF, FloodLimit::OFF));
    room.connect(0);
    assert_eq!(room.says_all(0, ""), 1 + 20);
    room.says(0, "Alice");
    assert_eq!(room.says_all(0, "all hi"), 0);
}

#[test]
fn those_of_one_address_have_their_own_limits_and_one_together() {
    let client = FloodLimit { rate: 10, burst: 60 };
    let lines = FloodLimit { rate: 20, burst: 100 };
    let flood = FloodLimits { client, address: lines, ..FloodLimits::OFF };
    let mut room = Room::new(Limits { flood, ..limits() });
    for key in 0..5 {
        room.connect_from(7, key);
        room.says(key, &format!("user{key}"));
    }
    let lines: Vec<usize> = (0..3).map(|key| room.says_all(key, "all hi")).collect();
    assert_eq!(lines, [60, 40, 21], "whoever says little does not wait for the others");
    assert!(matches!(room.step(2, "all hi"), Step::Wait(_)));
    for _ in 0..10 {
        room.now += Duration::from_millis(100);
        assert!(matches!(room.step(2, "all hi"), Step::Wait(_)), "nor comes to by waiting");
        room.says(3, "all I say little");
    }
    room.connect_from(8, 5);
    room.says(5, "Bob");
    assert_eq!(room.says_all(5, "all hi"), 60, "others have their own");
    room.now += Duration::from_secs(3);
    assert!(room.says_all(2, "all hi") > 0, "in the end there is room");
}

#[test]
fn many_who_say_little_have_a_limit_together_too() {
    let mut room = Room::new(address(FloodLimit { rate: 10, burst: 20 }, FloodLimit::OFF));
    let mut lines = 0;
    for key in 0..40 {
        room.connect_from(7, key);
        room.says(key, &format!("user{key}"));
        lines += room.says_all(key, "all hi");
    }
    assert_eq!(lines, 20 + 10 * 30);
    let Step::Wait(later) = room.step(39, "all hi") else { panic!("no wait") };
    assert!(later <= room.now + Duration::from_millis(100));
}

#[test]
fn too_many_logins_of_one_address_wait_in_line_and_none_is_refused() {
    const LOGINS: FloodLimit = FloodLimit { rate: 10, burst: 40 };
    let mut room = Room::new(address(FloodLimit::OFF, LOGINS));
    let mut waits = Vec::new();
    for key in 0..45 {
        room.connect_from(7, key);
        match room.step(key, &format!("user{key}")) {
            Step::Next => {}
            Step::Wait(later) => waits.push(later.saturating_sub(room.now)),
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(room.chat.online(), 40, "a class gets in at once");
    assert_eq!(waits, [1, 2, 3, 4, 5].map(|tenths| Duration::from_millis(100) * tenths));
    room.connect_from(8, 50);
    room.says(50, "elsewhere");
    let again = Duration::from_millis(300);
    assert_eq!(room.step(43, "user43"), Step::Wait(room.now + again + again / 3), "its place");
    room.now += again;
    for key in 40..43 {
        room.says(key, &format!("user{key}"));
    }
    assert!(matches!(room.step(43, "user43"), Step::Wait(_)));
    let deadline = room.chat.login_deadline(id(43)).unwrap();
    assert_eq!(deadline, START + Duration::from_secs(30) + Duration::from_millis(400));
}

#[test]
fn whoever_gives_up_waiting_to_log_in_gives_its_place_back() {
    let mut room = Room::new(address(FloodLimit::OFF, FloodLimit { rate: 1, burst: 1 }));
    room.connect_from(7, 0);
    room.says(0, "Alice");
    for key in 1..1000 {
        room.connect_from(7, key);
        assert_eq!(room.step(key, "Bob"), Step::Wait(room.now + Duration::from_secs(1)));
        room.chat.handle_disconnect(id(key), room.now);
    }
}

#[test]
fn a_try_that_is_refused_counts_as_a_login() {
    let mut room = Room::new(address(FloodLimit::OFF, FloodLimit { rate: 1, burst: 4 }));
    for key in 0..2 {
        room.connect_from(7, key);
        (0..2).for_each(|_| room.says(key, "two words"));
    }
    assert_eq!(room.step(0, "Alice"), Step::Wait(room.now + Duration::from_secs(1)));
}

#[test]
fn a_storm_of_comings_and_goings_is_summed_up_in_a_small_room() {
    let mut room = Room::with(&["Alice"]);
    room.now += Duration::from_secs(60);
    for key in 1..=100 {
        room.connect(key);
        room.says(key, &format!("user{key}"));
        assert_eq!(room.step(key, "quit"), Step::Close);
    }
    room.now += Duration::from_secs(1);
    room.chat.handle_news(room.now);
    let told = room.reads(0);
    assert_eq!(
        told[..2],
        ["[SERVER] user1 has joined the chat!", "[SERVER] user1 has left the chat."]
    );
    assert_eq!(told.len(), 21);
    assert_eq!(told[20], "[SERVER] 90 joined, 90 left (1 online)");
}
