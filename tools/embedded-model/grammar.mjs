// The grammar of the embedded model's English, as data: context-free rules
// whose symbols carry agreement features. $N is a subject's number (s third
// person singular, p plural and "you", i "I"), $T a tense (d past, r present),
// $F a verb form (tense + number, b base, g -ing, n participle), $V the first
// sound (v vowel, c consonant). 'quoted' is a word, a trailing ? is optional.

/** The values each feature variable may take; $M, $U, $W, $X are second copies. */
export const domains = {
  N: ["s", "p", "i"],
  M: ["s", "p", "i"],
  T: ["d", "r"],
  U: ["d", "r"],
  F: ["ds", "dp", "di", "rs", "rp", "ri", "b", "g", "n"],
  V: ["v", "c"],
  W: ["v", "c"],
  X: ["v", "c"],
};

/** @type {Record<string, string>} left side -> alternatives separated by | */
export const rules = {
  Sentence: `Utterance | Quoted | Front ',' NounPhrase.$N Verb.q.d$N ToWhom? ',' '"(' Speech '")'
    | NounPhrase.$N Adverb? Verb.q.d$N ToWhom? ',' '"(' Speech '")'`,
  Quoted: `'"(' Speech '")' | '"(' Led '")' Tag '.' | '"(' Speech Led '")' Tag '.'
    | '"(' Led '")' Tag '.' '"(' Speech '")'`,
  Speech: "Utterance Speech?",
  Led: `Statement ',' | Statement ',' Vocative ',' | Statement ',' Vocative '!' | Statement '!' | Question '?' | Command ',' | Command '!'
    | Call ',' | Call '!'`,
  Tag: `TagVerb NounPhrase.$N Adverb? And? | Pronoun.$N Verb.q.d$N Adverb? And?`,
  TagVerb: `Verb.q.ds ToWhom?`,
  ToWhom: "Object | 'to' Object",
  And: `'and' Predicate.ds | ',' 'and' Clause.d`,
  Utterance: `Statement End | Statement ',' Vocative End | Statement ',' 'thank' 'you' End | Question '?' | Command End | Call End`,
  End: `'.' | '!'`,

  Call: `Greeting | Greeting ',' Vocative | Greeting ',' Statement | Greeting ',' Command
    | Vocative ',' Command | Vocative ',' Statement | 'what' Indefinite | 'how' Adjective.$V
    | 'thank' 'you' Thanks? | 'thank' 'you' Thanks? ',' Vocative | 'good' 'luck'
    | 'happy' 'birthday' | 'happy' 'birthday' ',' Vocative | 'the' 'end'`,
  Thanks: `'for' Object | 'for' Predicate.g | Adverb | Adverb 'for' Object`,
  Greeting: `'hello' | 'hello' 'again' | 'hi' | 'goodbye' | 'oh' | 'yes' | 'no' | 'wow'
    | 'good' Noun.s.$V | 'thanks' | 'please' | 'of_course' | 'hooray' | 'well' | 'look'
    | 'oh' ',' Greeting | 'yes' ',' 'please' | 'no' ',' 'thank' 'you' | 'sorry'
    | 'hello' 'there' | 'welcome' | 'listen'`,
  Vocative: `Name | 'my' Nominal.s.$V | Adjective.$V Name | Nominal.s.$V | 'everyone'
    | 'my' Nominal.p`,

  Statement: `Front ','? Main | Main | Coordinator ','? Main | Coordinator Front ','? Main`,
  Front: `Adverb | Prepositional | Adverb Prepositional | Subordinate | Moment
    | Moment Prepositional | 'to' 'everyone' 's' 'surprise' | Adverb ',' Subordinate`,
  Moment: `'one' Nominal.s.$V | 'every' Nominal.s.$V | 'that' Noun.s.$V | 'all' Noun.s.$V
    | 'the' 'next' Noun.s.$V | 'all' Noun.s.$V 'long'`,
  Main: `Clause.$T ',' Clause.$T ',' 'and' Clause.$T | Clause.$T | Clause.$T Conjunction Clause.$U | Clause.$T Hung`,
  Hung: `',' 'who' Predicate.ds | Subordinate Hung? | ',' Subordinate | ',' Coordinator Clause.d | ',' Coordinator Clause.r
    | Subordinate ',' Coordinator Clause.d | Subordinate ',' Coordinator Clause.r`,
  Conjunction: `',' Coordinator | Coordinator | ',' Coordinator Adverb`,
  Coordinator: `'and' | 'but' | 'so' | 'or' | 'for'`,
  Subordinate: `Subordinator Clause.d | Subordinator Clause.r`,
  Subordinator: `'because' | 'when' | 'while' | 'until' | 'if' | 'before' | 'after' | 'as'
    | 'where' | 'so' 'that' | 'as_if' | 'whenever' | 'just' 'as' | 'since' | 'though'
    | 'as_soon_as'`,
  "Clause.$T": `NounPhrase.$N Predicate.$T$N | 'there' Adverb? Be.$T$N Adverb? CoreAny.$N Adjuncts?
    | NounPhrase.$N 'both'? Predicate.$T$N | 'there' Be.$Ts 'no' Nominal.s.$V Adjuncts?`,
  "CoreAny.$N": "Core.$N",

  "NounPhrase.$N": "Pronoun.$N | Core.$N",
  Object: "ObjectPronoun | Core.s | Core.p | 'each' 'other' | Reflexive",
  "Pronoun.s": `'he' | 'she' | 'it' | 'this' | 'that'`,
  "Pronoun.p": `'we' | 'they' | 'you' | 'these' | 'those'`,
  "Pronoun.i": `'I'`,
  ObjectPronoun: `'him' | 'her' | 'it' | 'me' | 'us' | 'them' | 'you' | 'this' | 'that'`,
  Reflexive: `'himself' | 'herself' | 'itself' | 'myself' | 'yourself' | 'themselves'`,
  "Core.s": `Single | Single Of | Single Relative.s | Single Of Relative.s
    | Name ',' Single ',' | Name ',' Single | Name ',' Single Relative.s`,
  "Core.p": `Several | Several Of | Several Relative.p | Single 'and' Single
    | Several 'and' Several | Several 'and' Single | Single 'and' Several
    | Listed ',' Listed ',' AndOr Listed | Listed 'or' Listed | Single 'and' Name ',' Single ',' | Pronoun.s 'and' Single | Single 'and' 'I'
`,
  Listed: "Single | Several",
  AndOr: `'and' | 'or'`,
  Single: `Name | 'today' | 'tomorrow' | Determiner Nominal.s.$V | Indefinite | Determiner Stuff | 'some' Stuff | Stuff
    | 'everyone' | 'everything' Adjective.$V? | 'nobody' | 'nothing' Adjective.$V?
    | 'something' Adjective.$V? | 'somebody' | 'someone' | 'no' 'one' | 'anything'
    | 'one' 'of' Definite.p | 'each' Nominal.s.$V | 'every' Nominal.s.$V | 'no' Nominal.s.$V
    | 'another' Nominal.s.$V | 'all' 'of' 'it' | 'what' Pronoun.$N Predicate.gap.d$N
    | Measure 'of' Stuff | Measure 'of' Nominal.p | 'one' 'more' Nominal.s.$V
    | 'much' Stuff | 'only'? 'one' Nominal.s.$V | 'anyone' | 'any' Stuff | 'no' Stuff`,
  Measure: `Indefinite | Determiner Nominal.s.$V | 'a' 'lot'`,
  Several: `Determiner Nominal.p | Quantity Nominal.p | Nominal.p | 'both' 'of' 'them'
    | 'all' 'of' 'them' | 'both' Nominal.p | 'the' Number Nominal.p | Determiner Number Nominal.p
    | 'all' 'of' 'us' | 'all' Determiner Nominal.p | 'the' Number 'of' 'them'
    | 'all' 'of' Determiner Nominal.p | Number`,
  "Definite.p": `Determiner Nominal.p | 'them' | 'us'`,
  Quantity: `Number | 'many' | 'only'? 'a' 'few' | 'many' 'more' | 'some' | 'all' | 'more' | 'no' | 'other' | 'most'
    | 'any' | 'so' 'many'`,
  Number: `'two' | 'three' | 'four' | 'five' | 'six' | 'seven' | 'eight' | 'nine' | 'ten'`,
  Determiner: `'the' | 'this' | 'that' | 'these' | 'those' | Possessive`,
  Possessive: `'my' | 'your' | 'his' | 'her' | 'its' | 'our' | 'their' | Owner 's'`,
  Owner: `Name | 'the' Nominal.s.$V | 'my' Nominal.s.$V | Indefinite | 'his' Noun.s.$V
    | 'her' Noun.s.$V`,
  Indefinite: `'a' Nominal.s.c | 'an' Nominal.s.v | 'a' 'very' Nominal.described
    | 'such' 'a' Nominal.s.c | 'such' 'an' Nominal.s.v`,
  "Nominal.described": "Adjective.$V Nominal.s.$W",
  "Nominal.s.$V": `Noun.s.$V | Adjective.$V Nominal.s.$W | Adjective.$V 'and' Nominal.s.$W
    | Adjective.$V ',' Nominal.s.$W | Noun.s.$V Noun.s.$W`,
  "Nominal.p": `Noun.p | Adjective.$V Nominal.p | Adjective.$V 'and' Nominal.p
    | Noun.s.$V Noun.p`,
  Stuff: "Mass | Adjective.$V Stuff | 'more' Mass",
  Of: `'of' Object | Adjective.$V 'of' Object | 'named' Name | Location`,
  Location: "Prepositional",
  "Relative.$N": `'who' Predicate.d$N | 'that' Predicate.d$N | 'that' Predicate.r$N
    | 'who' Predicate.r$N | 'that' NounPhrase.$M Gap.d$M | 'that' NounPhrase.$M Gap.r$M
    | 'to' Predicate.b | 'where' Clause.d | 'where' Clause.r | 'to' Gap.b`,

  "Predicate.$F": `Verbal.$F | Verbal.$F 'and' Predicate.$F | Verbal.$F 'but' Predicate.$F
    | Verbal.$F ',' Verbal.$F ',' 'and' Verbal.$F | Verbal.$F 'and' 'then' Predicate.$F
    | Verbal.$F 'or' Predicate.$F`,
  "Verbal.$F": `Group.$F Adjuncts? | Adverb Group.$F Adjuncts?`,
  "Group.$F": `Verb.i.$F | Verb.t.$F Object | Verb.t.$F Particle Object | Verb.d.$F Object Object
    | Verb.a.$F Quality | Verb.o.$F 'not'? 'to' Predicate.b | Verb.g.$F Predicate.g
    | Verb.T.$F Object 'not'? 'to' Predicate.b | Verb.B.$F Object Predicate.b
    | Verb.s.$F Object Predicate.g | Verb.h.$F Fact | Verb.d.$F Object Fact
    | Verb.w.$F Asked | Verb.d.$F Object Asked | Verb.t.$F Object Quality
    | Be.$F 'not'? Complement | Be.$F Adverb Complement | Verb.i.$F Purpose
    | Verb.t.$F Object Purpose | Verb.T.$F Object Asked | Be.$F 'not'? Adverb? | Have.$F 'to' Predicate.b
    | Verb.i.$F 'about' Asked | Verb.i.$F 'about' Predicate.g | Verb.B.$F Object Quality
    | Verb.t.$F Object Predicate.g | Verb.i.$F Predicate.g`,
  "Group.$T$N": `Do.$T$N 'not' Predicate.b | Modal 'not'? Predicate.b | Modal Adverb Predicate.b
    | Have.$T$N 'not'? Adverb? Predicate.n | Be.$T$N 'going' 'to' Predicate.b
    | Have.$T$N 'been' Complement`,
  Particle: `'up' | 'down' | 'out' | 'away' | 'back' | 'off' | 'on'`,
  Fact: `'that'? Clause.d | 'that'? Clause.r`,
  Asked: `QuestionWord Clause.d | QuestionWord Clause.r | 'what' NounPhrase.$N Gap.d$N
    | 'what' NounPhrase.$N Gap.r$N | 'who' Predicate.d$N | 'what' Predicate.ds | 'what' Predicate.rs
    | QuestionWord 'to' Predicate.b | 'what' 'to' Gap.b | 'if' Clause.d | 'if' Clause.r
    | 'what' NounPhrase.$N Be.r$N | 'what' NounPhrase.$N Be.d$N | 'who' NounPhrase.$N Be.r$N
    | 'where' NounPhrase.$N Be.r$N | 'where' NounPhrase.$N Be.d$N`,
  Purpose: `'to' Predicate.b`,
  Adjuncts: "Adjunct Adjuncts?",
  Adjunct: `Adverb | Adverb Adverb | Adverb 'and' Adverb | Prepositional | Prepositional 'and' Prepositional | Moment | Manner Adverb | 'as' Adjective.$V 'as' Object
    | 'to' Predicate.b | Participial | 'too'`,
  Participial: `',' Predicate.g | 'with' Object Prepositional`,
  Prepositional: `Preposition Object | Adverb Preposition Object | Preposition Predicate.g`,
  Complement: `Quality | Object | Prepositional | Predicate.g | Passive | 'called' Name
    | Quality 'to' Predicate.b | Quality 'that' Clause.d | Quality 'that' Clause.r | Adverb
    | Quality Prepositional | Quality 'because' Clause.d | 'to' Predicate.b | 'so' Adjective.$V 'that' Clause.d`,
  Passive: "Verb.t.n Adjuncts? | Verb.d.n Object Adjuncts?",
  Quality: `Manner? Adjective.$V | Manner? Adjective.$V 'and' Manner? Adjective.$W
    | Adjective.$V ',' Adjective.$W ',' 'and' Adjective.$X | 'as' Adjective.$V 'as' Object
    | Comparative | Comparative 'than' Object | 'the' Superlative | 'not' Adjective.$V
    | 'too' Adjective.$V 'to' Predicate.b | Adjective.$V 'but' Adjective.$W | 'so' Adjective.$V
    | 'all' Adjective.$V`,
  Manner: `'very' | 'so' | 'too' | 'always' | 'never' | 'still' | 'just' | 'a_little' | 'really'
    | 'quite' | 'both'`,
  Comparative: `'better' | 'bigger' | 'smaller' | 'happier' | 'stronger' | 'warmer' | 'darker'
    | 'faster' | 'louder' | 'taller' | 'older'`,
  Superlative: `'best' | 'biggest' | 'smallest' | 'happiest'`,

  "Gap.$F": `Verb.t.$F Adjuncts? | Verb.o.$F 'to' Gap.b | Verb.i.$F Preposition
    | Verb.T.$F Object 'to' Gap.b | Verb.d.$F Object | Verb.g.$F Gap.g`,
  "Gap.$T$N": `Modal Gap.b | Do.$T$N 'not' Gap.b | Have.$T$N Gap.n`,
  "Predicate.gap.$F": "Gap.$F",

  Command: `Predicate.b | 'please' Predicate.b | 'do' 'not' Predicate.b | 'let' 'us' Predicate.b
    | Predicate.b ',' 'please' | Predicate.b ',' Vocative | 'come' 'and' Predicate.b
    | 'please' 'do' 'not' Predicate.b | Predicate.b ',' 'and' Clause.r | 'never' Predicate.b
    | 'always' Predicate.b | Subordinate ',' Command`,

  Question: `Asking | Asking ',' Vocative | Coordinator Asking | Greeting ',' Asking
    | Vocative ',' Asking`,
  Asking: `QuestionWord Inverted | 'what' Do.$T$N NounPhrase.$N Gap.b | 'who' Do.$T$N NounPhrase.$N Gap.b
    | 'what' Modal NounPhrase.$N Gap.b | Inverted | 'who' Predicate.ds | 'who' Predicate.rs
    | 'what' Predicate.ds | 'what' Predicate.rs | 'which' Noun.s.$V Predicate.rs
    | 'what' Noun.s.$V Be.$T$N NounPhrase.$N Adjuncts? | 'who' Be.$T$N NounPhrase.$N Adjuncts?
    | 'what' Be.$T$N NounPhrase.$N Adjuncts? | 'what' Be.$T$N NounPhrase.$N Gap.g
    | 'how' Adjective.$V Be.$T$N NounPhrase.$N | 'how' 'many' Nominal.p Do.$T$N NounPhrase.$N Gap.b
    | 'how' 'many' Nominal.p Be.$Tp 'there' Adjuncts? | 'what' Noun.s.$V Do.$T$N NounPhrase.$N Gap.b
    | 'what' 'about' Object | 'how' 'about' Object | 'what' 'can' NounPhrase.$N Gap.b
    | 'do' 'you' 'know' 'any' Nominal.p | 'what' Nominal.p Do.$T$N NounPhrase.$N Gap.b`,
  QuestionWord: `'where' | 'why' | 'how' | 'when'`,
  Inverted: `Do.$T$N NounPhrase.$N 'not'? Predicate.b | Modal NounPhrase.$N 'not'? Predicate.b
    | Be.$T$N NounPhrase.$N Complement Adverb? | Be.$T$N NounPhrase.$N | Be.$T$N 'there' Core.$N Adjuncts?
    | Have.$T$N NounPhrase.$N Adverb? Predicate.n | Be.$T$N NounPhrase.$N Adjuncts`,

  Modal: `'can' | 'could' | 'will' | 'would' | 'must' | 'should' | 'might'`,
  "Be.ds": `'was'`,
  "Be.di": `'was'`,
  "Be.dp": `'were'`,
  "Be.rs": `'is'`,
  "Be.rp": `'are'`,
  "Be.ri": `'am'`,
  "Be.b": `'be'`,
  "Be.g": `'being'`,
  "Be.n": `'been'`,
  "Do.ds": `'did'`,
  "Do.di": `'did'`,
  "Do.dp": `'did'`,
  "Do.rs": `'does'`,
  "Do.rp": `'do'`,
  "Do.ri": `'do'`,
  "Have.ds": `'had'`,
  "Have.di": `'had'`,
  "Have.dp": `'had'`,
  "Have.rs": `'has'`,
  "Have.rp": `'have'`,
  "Have.ri": `'have'`,
  "Have.b": `'have'`,
};
