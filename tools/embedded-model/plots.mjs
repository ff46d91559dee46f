// The plots, as patterns: a plot is a list of beats, a beat a list of ways to
// tell it. Slots come from cast.mjs; the grammar judges every sentence made from
// here when corpus.mjs writes it.

const meeting = [
  "On the way, {he} met {fname}, {a fwho}.",
  "Just then, {a fwho} named {fname} came along the path.",
  "{he} saw {fname} {atgoal}.",
  'Soon {he} met {a fwho}. "My name is {fname}," said the {fkind}.',
  "{fname}, {a fwho}, sat {atgoal}.",
];

const thanks = [
  '"Thank you, {fname}!" said {name}. "You are a good friend."',
  '"Thank you so much!" said {name}.',
  "{name} hugged {fname} and thanked {fhim}.",
  '{name} smiled. "You are very kind," {he} said.',
  '"I am so happy," said {name}, and {he} danced.',
];

const lost = [
  [
    "One {hour}, {name} lost {his} {lovely}.",
    "{name} had {a lovely}. One day, {he} could not find it.",
    "{name} looked for {his} {lovely}, but it was gone.",
  ],
  [
    "{he} looked under the bed and behind the door.",
    "{he} looked everywhere, but {he} did not find it.",
    '"Where is my {thing}?" asked {name}.',
    "{name} was very sad.",
  ],
  meeting,
  ['"Why are you sad?" asked {fname}.', '"What happened?" asked {fname}.', '"Can I help you?" {fhe} asked.'],
  [
    '"I lost my {thing}," said {name}.',
    '"I can not find my {thing}," {he} answered.',
    "{name} told {fhim} about the {lovely}.",
  ],
  [
    '"Let us look for it together," said {fname}.',
    '"Do not worry," said {fname}. "We will find it."',
    "{fname} wanted to help {him}.",
  ],
  [
    "They walked to the {goal} and looked [under every leaf|behind every stone|in every hole].",
    "They looked {atgoal}, and then they looked {atfar}.",
    "They asked {a animal}, but the {animal} did not know.",
  ],
  [
    "At last, they found the {thing} [under a leaf|behind a big stone|in a tree|near the river|next to an old box].",
    "Suddenly, {fname} saw something {look}. It was the {thing}!",
    '"Look!" cried {fname}. "I see your {thing}!"',
  ],
  thanks,
];

const helping = [
  meeting,
  [
    "{fname} was [hungry|cold|tired|lonely] and [sad|very quiet].",
    "{fname} cried because {fhe} was [hungry|cold|lonely|lost].",
    "The {fkind} was all alone and wanted [to go home|a friend|something to eat].",
  ],
  [
    '"What happened?" asked {name}.',
    '"Are you [cold|hungry|sad|lost]?" asked {name}.',
    '"Hello," said {name}. "How can I help you?"',
  ],
  [
    '"I am [lost|so hungry|very cold|lonely]," said {fname}.',
    '"I want to go home," whispered {fname}.',
    '"Nobody plays with me," {fhe} answered.',
  ],
  [
    "{name} gave {fhim} {a treat} and a warm [blanket|coat|scarf].",
    "{name} took {fhis} hand and showed {fhim} the way.",
    "{name} shared {his} {foods} with {fhim}.",
    "So {name} sat down beside {fhim} and told {fhim} a funny story.",
  ],
  [
    "Soon {fname} felt [better|warm and safe|happy again].",
    "{fname} smiled for the first time that day.",
    "{fname} stopped crying and began to laugh.",
  ],
  [
    '"Thank you," said {fname}. "I will never forget it."',
    '"You are my best friend," said {fname}.',
    '{fname} gave {name} {a present}. "This is for you," {fhe} said.',
  ],
];

const making = [
  [
    "One {hour}, {name} wanted to make [a cake|a pie|soup|a kite|a little boat|a lantern].",
    '{name} had a wonderful idea. "I will make a surprise for my {elder}," {he} said.',
  ],
  [
    "{he} needed [wood|paper|water|milk], {number} {foods}, and [a rope|a spoon|a bucket|honey].",
    "First {he} went to the market and bought {number} {foods}.",
    "{he} asked the {worker} for help.",
  ],
  meeting,
  [
    '"What are you making?" asked {fname}.',
    '"Can I help you?" asked {fname}.',
    "{fname} was curious and watched {him}.",
  ],
  [
    '"Yes, please!" said {name}.',
    '"Of course," said {name}. "It is fun to work together."',
    "{name} smiled and gave {fhim} a [spoon|bucket|rope].",
  ],
  [
    "They worked all [day|morning|afternoon] and sang [songs|a happy song].",
    "They worked hard, and they laughed a lot.",
    "It was not easy, but they did not stop.",
  ],
  [
    "At last, it was ready, and it was beautiful.",
    "In the end, it was the best one in the village.",
    "When it was ready, it looked wonderful.",
  ],
  [
    "They shared it with [everyone|all the animals|the {worker}|{his} {elder}].",
    '"It is beautiful!" cried {fname}.',
    "Everyone came to see it.",
  ],
];

const journey = [
  [
    "{name} wanted to see the {far}.",
    "One {hour}, {name} decided to travel to the {far}.",
    '"What is behind the {goal}?" {he} wondered.',
  ],
  [
    "{he} took a [map|lantern|basket], {a treat}, and {a lovely}.",
    "{he} put {number} {foods} in a basket.",
    '"Be careful," said {his} {elder}.',
  ],
  [
    "{he} walked over the hill and across the old bridge.",
    "The path was long, but {name} was not tired.",
    "{he} walked along the river until {he} came to the {goal}.",
  ],
  meeting,
  [
    '"Where are you going?" asked {fname}.',
    '"Where do you want to go?" asked {fname}.',
    '"Can I come with you?" asked {fname}.',
  ],
  ['"I am going to the {far}," said {name}.', '"I want to see the {far}," {he} answered. "Come with me!"'],
  [
    "Together they [climbed over big stones|followed the river|walked through the deep forest].",
    "They sang songs so that the way seemed easy.",
    "It began to [rain|snow], so they hid [in a cave|under a tree|in an old barn].",
  ],
  [
    "At last, they saw the {far}. It was [big and blue|quiet and beautiful|as beautiful as a dream].",
    "Finally, they stood {atfar}.",
    '"I can see it!" cried {name}.',
  ],
  [
    "They sat down and ate the {foods}.",
    "They stayed there until the sun was red.",
    "{name} picked up a [small shell|round stone|golden leaf|white feather] for {his} {elder}.",
  ],
];

const storm = [
  [
    "Suddenly, the sky became dark.",
    "One {hour}, a [great|big|loud] storm came over the {home}.",
    "Dark clouds covered the sun, and the wind was loud.",
  ],
  [
    "The rain fell [and fell|all night], and the wind pulled at the trees.",
    "{name} was afraid of the storm.",
    "The trees danced in the wind.",
  ],
  ["{he} ran to [the barn|an old house|a cave|the mill] and hid inside.", "{name} ran home very quickly."],
  ["There {he} met {fname}, {a fwho}.", "Inside there was {a fwho} named {fname}."],
  [
    '"Are you afraid too?" asked {fname}.',
    '"Come and sit with me," said {fname}.',
    '"Do not be afraid," said {fname}. "It is only the wind."',
  ],
  [
    "They held a [lantern|candle] and told stories.",
    "They sat side by side and sang until the storm was over.",
    "{fname} gave {him} a blanket and some [soup|bread|tea|milk].",
  ],
  [
    "In the morning, the sun was shining again.",
    "Then the rain stopped, and a rainbow stood over the {home}.",
    "After the storm, everything was [quiet|fresh and green].",
  ],
  [
    '"Look at the rainbow!" cried {name}.',
    '"It is over," said {fname}.',
    "They ran outside and jumped over the wet stones.",
  ],
];

const birthday = [
  ["It was {fname}'s birthday.", '"Tomorrow is my birthday," said {fname}, {a fwho}.'],
  [
    "{name} wanted to give {fhim} something special.",
    '"What can I make for {fname}?" {name} wondered.',
    "{name} thought about it all night.",
  ],
  [
    "{he} asked the {worker} what {fname} liked.",
    "{he} went to the market to buy {a gift}.",
    "{he} had only one coin, so {he} made {a gift}.",
  ],
  [
    "{he} painted it {color} and put it in a box.",
    "{he} put the {gift} in a [small|red|beautiful] box.",
    "{he} wrote a letter and put it in the box.",
  ],
  [
    "When {fname} opened the box, {fhe} [laughed|jumped up and down|smiled].",
    '"Happy birthday!" shouted {name}.',
  ],
  [
    '"What a beautiful {gift}!" said {fname}.',
    '"It is the best gift in the world," said {fname}.',
    '"I love it!" cried {fname}.',
  ],
  [
    "They ate cake and danced all evening.",
    "Then they played games until the stars came out.",
    "{fname} shared the cake with {fhis} friends.",
  ],
];

const noise = [
  [
    "One night, {name} heard a strange noise.",
    "{name} could not sleep because there was a noise outside.",
    "That night, something knocked at the [door|window].",
  ],
  [
    '"Who is there?" {he} asked.',
    '"Is it a dragon?" {name} wondered.',
    "{he} was afraid and hid under the blanket.",
  ],
  [
    "{name} took {his} [lantern|candle] and opened the door [slowly|carefully].",
    "But {name} was [brave|curious], so {he} went outside.",
  ],
  [
    "There was no dragon. It was only {fname}, {a fwho}!",
    "Outside, {he} saw {a fwho}. It was {fname}!",
    "In the light of the moon, {he} saw {fname}, {a fwho}.",
  ],
  [
    '"I am sorry," said {fname}. "I was looking for {a food}."',
    '"I am so hungry," said {fname}.',
    '"I can not sleep," said {fname}. "I am afraid of the dark night."',
  ],
  [
    '{name} laughed. "Come inside and eat with me," {he} said.',
    "{name} gave {fhim} some [milk|bread|soup|honey] and {a treat}.",
    '"You can stay here," said {name}.',
  ],
  [
    "They looked at the stars and talked for a long time.",
    "Soon they were both sleepy.",
    "{fname} told {him} a secret about the {goal}.",
  ],
];

const magic = [
  ["One {hour}, {name} found {a lovely} {atgoal}.", "Under an old tree, {name} found {a lovely}."],
  [
    "{he} picked it up and [looked at it|washed it].",
    "It was [warm|cold] and it shone like [the moon|a star].",
    '"What is this?" {he} wondered.',
  ],
  [
    'Suddenly, the {thing} began to talk. "You have one wish," it said.',
    'A small voice said, "make a wish, {name}."',
    '"Hello," whispered the {thing}. "I am a magic {thing}."',
  ],
  [
    "{name} thought about it for a long time.",
    "{he} wanted a castle, a boat, or {a treat}.",
    '"I do not need a castle," said {name}.',
  ],
  [
    "Then {he} saw {fname}, {a fwho} who had no home.",
    "But {fname}, {a fwho}, was [sad|lonely|hungry] that {hour}.",
  ],
  [
    '"I hope that {fname} will be happy," {he} said.',
    '"Please help {fname}," {he} said.',
    '"I want a home for {fname}," {he} said.',
  ],
  [
    "The {thing} became bright, and the wish came true.",
    "There was a golden light, and {fname} laughed.",
    "The wind blew, the stars danced, and the wish came true.",
  ],
  [
    '"You have a good heart," said the {thing}.',
    "{fname} could not believe it.",
    "Then the {thing} was quiet, and it never talked again.",
  ],
];

const race = [
  [
    'One {hour}, {fname}, {a fwho}, said, "I am faster than you, {name}!"',
    "{name} and {fname}, {a fwho}, wanted to win the race.",
  ],
  [
    '"Let us run to the {goal}," said {name}.',
    '"The first one at the {goal} wins {a treat}," said the {worker}.',
  ],
  [
    "All the animals came to watch.",
    "The {animals} cheered loudly.",
    "The {worker} counted to three, and they ran.",
  ],
  [
    "{fname} ran quickly over the hill.",
    "{fname} was quick, but {name} did not stop.",
    "{name} ran like the wind.",
  ],
  [
    "Then {fname} fell over a branch and could not stand up.",
    "Suddenly, {fname} stopped because {fhe} was too tired to run.",
  ],
  [
    "{name} could win now, but {he} went back.",
    "{name} stopped and helped {fhim}.",
    '"Are you well?" asked {name}.',
  ],
  ["They walked to the {goal} side by side.", "Together they came to the {goal}, and everyone cheered."],
  [
    '"You both win," said the {worker}.',
    '"A friend is better than a race," said {name}.',
    "So they shared the {treat}.",
  ],
];

const seed = [
  ["One {hour} in spring, {name} found a small seed.", "{his} {elder} gave {name} a small seed."],
  ["{he} planted it {athome}.", "{he} put it in a hole in the garden and gave it some water."],
  [
    "Every day, {he} brought water and sang to the seed.",
    "Every morning, {he} looked at it, but nothing happened.",
    "{name} waited and waited.",
  ],
  meeting,
  ['"Why do you sing to the garden?" asked {fname}.', '"What are you waiting for?" asked {fname}.'],
  ['"I am waiting for my flower," said {name}.', '"There is a seed in this garden," {he} said.'],
  ['"It needs the sun and a lot of water," said {fname}.', "So they waited together."],
  [
    "One morning, there was a small green leaf.",
    "After many days, there was {a color} flower.",
    "In summer, it was a tall tree full of {foods}.",
  ],
  [
    '"It is growing!" cried {name}.',
    "The bees came, the birds sang, and everyone was happy.",
    "{name} gave the first flower to {fname}.",
  ],
];

export const plots = { lost, helping, making, journey, storm, birthday, noise, magic, race, seed };
