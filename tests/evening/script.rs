//! The evening as it is written. One step a line:
//!
//! ```text
//! + raw Alicia        somebody connects and logs in; raw alice/Alicia offers two names
//! Alicia: all hello   somebody types this; ⏎ ends a line of several that go out in one write
//! - Alicia end        somebody leaves without a word
//! !                   the server is told to stop
//! ```
//!
//! `{long}` stands for as much text as the line has room for, `{longer}` for one byte more.

/// The longest line, with its terminator.
const MAX_LINE: usize = 4096;

/// What long texts are made of.
const FILLER: &str = "ארוך كالليل and 🦉 é ";

/// Which client somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `nc -N`, between two pipes.
    Nc,
    /// A socket of the test.
    Raw,
    /// `hubbub chat` in a pseudo-terminal.
    Screen,
    /// `hubbub chat` between two pipes.
    Pipe,
}

/// How somebody leaves who does not say `quit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The end of the stream.
    End,
    /// A reset of the connection.
    Reset,
    /// The program is killed, as by `kill -9`.
    Kill,
    CtrlC,
    CtrlD,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Join { kind: Kind, names: Vec<String> },
    Type { who: String, text: String },
    Leave { who: String, way: Way },
    ShutDown,
}

impl Way {
    pub(super) const ALL: [Self; 5] =
        [Self::End, Self::Reset, Self::Kill, Self::CtrlC, Self::CtrlD];
}

/// The whole evening.
pub(super) fn steps() -> Vec<Step> {
    let lines = [ARRIVING, TALKING, LEAVING].into_iter().flat_map(|part| part.split('\n'));
    lines.filter(|line| !line.is_empty()).map(step).collect()
}

fn step(line: &str) -> Step {
    if line == "!" {
        return Step::ShutDown;
    }
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["+", kind, names] => Step::Join {
            kind: match kind {
                "nc" => Kind::Nc,
                "raw" => Kind::Raw,
                "screen" => Kind::Screen,
                "pipe" => Kind::Pipe,
                _ => panic!("a client called {kind}"),
            },
            names: names.split('/').map(str::to_owned).collect(),
        },
        ["-", who, way] => {
            let way = Way::ALL.into_iter().find(|w| format!("{w:?}") == way);
            let way = way.unwrap_or_else(|| panic!("how does one leave in {line:?}?"));
            Step::Leave { who: who.to_owned(), way }
        }
        _ => {
            let (who, text) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}?"));
            Step::Type { who: who.to_owned(), text: fill(text).replace('⏎', "\n") }
        }
    }
}

/// Puts a long text in.
fn fill(line: &str) -> String {
    for (place, length) in [("{long}", MAX_LINE - 1), ("{longer}", MAX_LINE)] {
        if let Some((before, after)) = line.split_once(place) {
            let room = length - before.len() - after.len();
            let mut text = FILLER.repeat(room / FILLER.len());
            text.push_str(&"x".repeat(room - text.len()));
            return format!("{before}{text}{after}");
        }
    }
    line.to_owned()
}

const ARRIVING: &str = "
+ nc Alice
Alice: all Is anybody here yet?
Alice: list
+ raw Ada
Ada: all Good evening! The door was open, so I came in.
Alice: @ada glad it is you and not the neighbours
Ada: @Alice the neighbours are coming too, I told them
+ screen Carol
Carol: all Hello from a real terminal ✨
Alice: all Welcome Carol, take a chair
+ pipe bot
bot: all build 1842 is green
Carol: all Who let the bot in?
Ada: all It brings good news. It stays.
+ raw שרה
שרה: all שלום לכולם! איך עובר הערב?
+ screen דוד
דוד: all ערב טוב שרה, סוף סוף מישהי שאפשר לדבר איתה עברית
שרה: @דוד תודה, חיכיתי לך \u{200f}(באמת!)
דוד: @שרה אני כאן
+ raw محمد
محمد: all مساء الخير يا جماعة
+ screen ليلى
ليلى: all مساء النور يا محمد، كيف الحال؟
محمد: @ليلى الحمد لله، وأنتِ؟
ليلى: @محمد بخير، لا تخبر أحدًا \u{200f}:)
+ nc יעל
יעל: all הֵי, גַּם אֲנִי פֹּה! (עם ניקוד)
+ nc دانة
دانة: all أهلاً وسهلاً بالجميع 🌙
Alice: list
+ nc Bob
Bob: all Evening. What did I miss?
Alice: all Greetings in three alphabets, and a green build.
Bob: @nobody are you there?
+ raw alice/Alicia
Alicia: all I wanted to be Alice. I am told there is one.
Alice: all There can be only one 🗡\u{fe0f}
+ raw Alan
Alan: all Can machines chat?
bot: all build 1843 is red
Alan: all I withdraw the question.
+ screen Dave
Dave: all I am at the old VT in the basement
+ screen Erin
Erin: all And I am on the sofa with a laptop 🛋\u{fe0f}
Dave: @erin is there any pizza left up there?
Erin: @dave two slices. Run.
+ nc Grace
Grace: all I found a bug. A real one, with wings 🦋
Ada: all Tape it into the log book!
+ nc Hedy
Hedy: all If you get noise, hop to another channel
+ raw Dennis
Dennis: all printf(\"hello, world\\n\");
+ raw Ken
Ken: @dennis you forgot the include
Dennis: @ken which include? It is 1972.
+ nc Linus
Linus: all Talk is cheap. Show me the code.
+ raw Donald
Donald: all Beware of bugs in the above code; I have only proved it correct.
+ pipe clock
clock: all It is 20:00
+ screen Frank
Frank: all x = r cos φ, y = r sin φ
+ nc Marie
Marie: all Bonsoir ! Ça va ? J’ai apporté du pain 🥖
+ nc Niels
Niels: all Godaften. The opposite of a great truth may be another great truth.
+ raw Edsger
Edsger: all GOTO the kitchen considered harmful, the cake is still hot
+ raw Frances
Frances: all I optimised the queue for the cake. You are third.
+ nc Øyvind
Øyvind: all Hei, blåbærsyltetøy på vaffel, noen?
+ raw Ольга
Ольга: all Добрый вечер! У кого чай?
+ nc Priya
Priya: all नमस्ते सबको, चाय मेरे पास है ☕
Ольга: @PRIYA спасибо!
+ nc 李雷
李雷: all 大家晚上好,我带了饺子 🥟
+ screen Joan
Joan: all I brought a kernel of popcorn 🍿
+ screen Víctor
Víctor: all ¡Buenas noches! ¿Hay sitio para uno más?
+ raw Margaret
Margaret: all We have landed. 1202 alarm in the kitchen, we are go.
+ raw Tim
Tim: all I linked the recipe, it is somewhere on the web
+ nc Zoë
Zoë: all Zoë mit zwei Punkten, bitte
+ raw Γιώργος
Γιώργος: all Καλησπέρα, τι κάνετε;
+ pipe Vint
Vint: all All my packets arrived, in order
+ pipe Whitfield
Whitfield: all I would tell you a secret, but not in clear text
+ raw Claude
Claude: all The entropy of this room is remarkable
";

const TALKING: &str = "
Alice: list
Carol: list
bot: list
Γιώργος: list al
Zoë: list ש
דוד: /list nobody-of-this-name
Alice: all That makes forty. Somebody count the cake.
Grace: all 40 people, 32 pieces. Off by eight.
Donald: all Premature slicing is the root of all evil.
Edsger: all Who divides last chooses first.
Frances: all I can vectorise: four knives at once
Tim: all The substitute for a knife must cut like a knife.
Erin: all \u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466} we four share one
שרה: all משפחה זה משפחה \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}
ليلى: all الكعكة لذيذة جدًّا، من صنعها؟
دانة: all أنا! وصفة جدتي \u{1f469}\u{1f3fd}\u{200d}\u{1f373}
محمد: all می\u{200c}خواهم یاد بگیرم \u{200f}(فارسی با نیم\u{200c}فاصله)
Priya: all क्\u{200d}ष और क\u{94d}ष एक नहीं दिखते
Marie: all e\u{301} et é: le même, et pas le même
Zoë: all Z\u{334}a\u{335}l\u{336}g\u{337}o\u{338} was here too, a little
Bob: all \tindented with a tab\u{b}and a vertical one
Alan: all \u{1b}[31mred?\u{1b}[0m no: \u{1b}]0;title\u{7}
Alan: all \u{202e}desrever\u{202c} and \u{2066}isolated\u{2069}
Ken: all nul \u{0}, bell \u{7}, escape \u{1b}, next line \u{85}, separator \u{2028}.
Alan: @ada \u{1b}[2Jand\u{9b}H \u{2067}in private\u{2069}\u{2029}
Alan: @\u{1b}[2J are you there?
Alan: \u{1b}[A\u{202e}no command
Claude: all {long}
Claude: @carol {long}
Claude: all {longer}
Grace: @Claude {long}
Claude: all Sorry. The channel has a capacity, it turns out.
Hedy: all one⏎all two⏎@hedy three, to myself⏎all four
Tim: all half of it⏎⏎⏎list ti⏎help
Vint: all first segment⏎all second segment⏎all third segment
Niels: allegory of the cave
Niels: all the cave, then
Bob: ALL CAPS LOCK IS ON
Bob: All is well again
Linus: help
Joan: help
Joan: HELP 
Dave: what can one type here?
Dave: all
Erin: @
Erin: @dave
Erin: all  two spaces stay,  and the one at the end too 
Víctor: @Joan ¿bailamos?
Joan: @víctor después de las palomitas
Víctor: @VÍCTOR nota para mí: palomitas
Víctor: @nadie ¿hola?
Frank: all [SERVER] Alice has left the chat.
Alice: all I have not!
Frank: @alice [SERVER] Name already taken.
Carol: all [Bob]: I did not say that
Bob: all I did not say that.
Margaret: all lines from telnet end like this\r
Margaret: all \r
Whitfield: @vint the key is under the mat
Vint: @whitfield which mat?
Whitfield: @nsa hello
Ada: all An analytical question: who washes up?
bot: all build 1844 is green
clock: all It is 21:00
Øyvind: all æøå ÆØÅ, ikke sant?
李雷: all 洗碗的人得到最后一个饺子
Ольга: all Тогда я мою посуду!
Γιώργος: all Κι εγώ, για τα ζυμαρικά. Σίσυφος ήμουν πάντα
יעל: all אני מנגבת. 🧽 ו\u{200e}100%\u{200e} בסדר
דוד: @יעל תודה!
שרה: all מי מכיר בדיחה?
Dennis: all Two strings walk into a bar. One says: I will have a beer%$#@
Ken: all ... please excuse him, he is not null-terminated
Alicia: all 😂😂😂
Alan: @bot are you a machine?
bot: @alan build 1845 is green
Alan: all It passed.
Hedy: all Frequency of laughter: high
Carol: @דוד what did he say?
דוד: @carol שאת מצחיקה \u{1f642}
ليلى: @CAROL هو يقول إنك مضحكة
Carol: all I understood that! Almost.
Tim: all https://example.org/cake?slices=40&fork=true#last
Frances: all {\"cake\": null}
Linus: all rm -rf cake/
Edsger: all 🎂 0 left
";

const LEAVING: &str = "
clock: all It is 22:00
- clock End
Alice: all That was the clock. Good night, clock.
Bob: all I have to catch the last train
- Bob End
Dave: quit
Erin: all Dave, you left your coat!
Erin: @dave your coat
- Erin CtrlD
Alan: all Halting.
- Alan Reset
Ada: all Undecidable, until he did it.
Frank: all Good night all
- Frank CtrlC
Marie: quit
Niels: @marie bonne nuit
- Niels Kill
Hedy: QUIT 
Grace: all Taking the moth home
- Grace End
bot: all build 1846 is green, good night⏎quit
Ken: all it went to sleep?
Ken: quit
Dennis: all return 0;⏎quit
Donald: all I will write about this evening. In volume 4F.
- Donald End
Linus: all merged. Bye
Linus: quit
- Edsger Reset
Frances: all He did not say goodbye. He considers it redundant.
- Frances Reset
יעל: all לילה טוב 🌙
- יעל Kill
דוד: all לילה טוב לכולם
דוד: quit
שרה: all להתראות \u{200f}\u{1f44b}\u{1f3fc}
- שרה End
محمد: all تصبحون على خير
- محمد Reset
ليلى: all وأنت من أهل الخير
- ليلى Kill
دانة: all مع السلامة
دانة: quit
Øyvind: all Ha det!
- Øyvind End
Ольга: all Спокойной ночи
Ольга: quit
Priya: all शुभ रात्रि
- Priya Kill
李雷: all 晚安
李雷: quit
Joan: all The popcorn is gone, and so am I
- Joan CtrlD
Víctor: @joan ¡espera!
Víctor: quit
Margaret: all Guidance is go for going home
- Margaret End
Tim: quit
Zoë: all Tschüss!
- Zoë End
Γιώργος: all Καληνύχτα
- Γιώργος End
Vint: all FIN
- Vint End
Whitfield: all ACK
Whitfield: quit
Alicia: list
Claude: all Redundancy is dropping fast
Carol: all Lights out soon?
Carol: quit
Alicia: all Alice, can I have the name now?
Alice: @alicia in a moment
Claude: all {long}
Ada: list
!
";
