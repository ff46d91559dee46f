"""The awkward texts that tokenizers are compared on, the same in each run: spaces, scripts,
emoji, accents, digits, code, texts of special tokens, long runs, broken text. All composed
(NFC), because llama.cpp does not normalize."""

import random
import unicodedata

WORDS = (
    "the of and to in is was for on that by with as it his be from are this which you "
    "don't we've I'll they're HE'S it’s naïve café Ünïcödé straße œuvre Ångström "
    "привет мир Москва ёлка Ελληνικά Αθήνα שלום עולם مرحبا بالعالم हिन्दी नमस्ते ภาษาไทย สวัสดี "
    "tiếng Việt 日本語 東京 ひらがな カタカナ 中文 你好 世界 한국어 안녕하세요 ქართული አማርኛ தமிழ் "
    "😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ✅ → ∑ √2 ½ ² ℝ ﬁ ™ © € £ ¥ § ¶ … — – « » “ ” ‘ ’ "
    "int main() { return 0; } std::vector<int>&& x->y a+=b; !== === => ::= #include //x /*y*/ "
    "def f(x): lambda λ: x**2 self._name __init__ CamelCaseWords snake_case_words SCREAMING_CASE "
    "0 1 12 123 1234 12345 123456 1234567 3.14 1,000,000 0x1F 1e-5 2026-11-29 12:34:56 ٣٤٥ ४५ Ⅷ "
    "http://example.com/a?b=c&d=e#f user@example.com $HOME ~/x ../y C:\\\\z \\\\n \\\\t ``` ** __ ~~"
).split(" ")

FIXED = [
    "", " ", "  ", "   ", "    ", "\t", "\t\t", " \t ", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\r\n\r\n",
    " \n", "\n ", " \n \n", "\n \n ", "  \n  \n  ", "a\n", "\na", "a \n b", "a\n\n\nb", "\t\n\tx",
    "Hello", " Hello", "  Hello", "   Hello", "Hello ", "Hello  ", "Hello world", "Hello  world",
    "Hello   world", " Hello  world ", "hello, world!", "Hello, y'all! How are you 😁 ?我想在apple工作1314151天～",
    "I've I'VE i'Ve we'll WE'LL d'D 'S 's ''s '''", "can't won't CAN'T they'd 'twas rock'n'roll",
    "0", "00", "000", "0000", "1234567890", "12345678901234567890", "3.14159", "1,234,567.89", "1 2 3", "１２３",
    "x=1;y=22;z=333;w=4444", "a1b22c333", "v1.2.3-rc4", "٠١٢٣٤٥٦٧٨٩", "१२३४५", "½¼¾", "x²+y³", "ⅣⅧ",
    "if (a && b) {\n\treturn a->b::c<d>();\n}\n", "def f(x):\n    return x ** 2\n\n\nclass A:\n    pass\n",
    "for(int i=0;i<10;++i){printf(\"%d\\n\",i);}", "SELECT * FROM t WHERE a <> 'b' -- c", "<html><body>&nbsp;</body></html>",
    "{\"a\": [1, 2, {\"b\": null}], \"c\": \"d\\u00e9\"}", "# Title\n\n- item\n  - item\n\n```js\nx();\n```\n", "\\frac{1}{2} \\sum_{i=0}^n",
    "https://example.com/path?query=1&other=two#part", "name@example.org", "/usr/local/bin/../lib", "C:\\Windows\\System32",
    "naïve café résumé", "Ünïcödé", "ÀÉÎÕÜ àéîõü", "œuvre ŒUVRE æther", "straße STRASSE ẞ", "Iıİi", "ﬁnancial ﬂow",
    "Привет, мир! Как дела?", "ПРИВЕТ", "Ελληνικά", "שלום עולם", "مرحبا بالعالم", "हिन्दी में", "ภาษาไทยไม่มีช่องว่าง", "tiếng Việt rất hay",
    "日本語のテキスト", "中文文本，标点。", "한국어 텍스트", "東京は夜の七時", "我想在apple工作1314151天～", "ქართული ენა", "አማርኛ", "தமிழ் மொழி", "བོད་སྐད།", "ខ្មែរ", "\U00020000\U0002a6d6", "𐍈𐌰𐌹",
    "😀", "😀😀", " 😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "❤️‍🔥", "🚀 (normal) 😶‍🌫️ (multiple emojis concatenated) ✅ 🦙🦙", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "\u00a0", "a\u00a0b", "\u2003x", "a\u200bb", "a\u200db", "\ufeffa", "a\u2028b", "\u3000全角", "\u202eabc", "a\u00adb", "x\x85y", "\x0bx\x0c",
    "\x01\x02\x1f", "\x7f", "\ufffd", "\ufffd\ufffd", "\ue000", "\U0010ffff", "\uffff", "a\ufffdb",
    "…—–", "!!!", "??!!", "......", "------", "======", "~~~~", "()[]{}<>", "'\"`´", "@#$%^&*", "a.b.c", "a_b_c", "a-b-c", "a/b/c", "€100", "100€", "50%", "°C",
    "<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<|endoftext|>", "<|im_start|>user\nhi<|im_end|>\n", "<|begin_of_text|>x<|eot_id|>",
    "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>", "<start_of_turn>user\nhi<end_of_turn>\n", "[INST] hi [/INST]", "<|user|>\nhi<|end|>\n<|assistant|>\n",
    "<｜begin▁of▁sentence｜>hi<｜User｜>x<｜Assistant｜>", "<think>\nhm\n</think>\n\nyes", "<tool_call>{\"name\": \"f\"}</tool_call>", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
    "a<|im_end|>b", "a <|im_end|> b", "<|im_end|><|im_end|>", "<|im_end", "im_end|>", "<|im_start|", "<s", "</s", "< s >", "<0x0A>", "<0x41>", "<|reserved_special_token_0|>", "<unused0>", "[PAD151643]", "[UNK]",
    "▁", "▁a", "a▁b", "▁▁", "Ġ", "Ġa", "Ċ", "ĉ", "âĢĶ", "[PAD1]", "\t<table>\n<tr><td>x</td></tr>", "<h1>a</h1>", "<img src=x>",
    "a" * 100, "ab" * 60, " " * 50, "\n" * 40, "\t" * 20, "1" * 100, "!" * 70, "=" * 80, "😀" * 20, "中" * 60, "é" * 50, " a" * 40, "a " * 40, "\r\n" * 10, "x\n" * 20,
    "aaaa bbbb  cccc   dddd    eeee", "The quick brown fox jumps over the lazy dog.", "supercalifragilisticexpialidocious antidisestablishmentarianism",
]


def texts() -> list[str]:
    draw = random.Random(20261129)
    made = list(FIXED)
    between = [" ", " ", " ", " ", "  ", "\n", "", "", "\t", " \n", "\n\n", ", ", ". ", "\u3000"]
    for _ in range(160):
        text = "".join(draw.choice(WORDS) + draw.choice(between) for _ in range(draw.randint(2, 14)))
        made.append(text)
    for _ in range(40):  # any characters at all
        ranges = draw.choice([(0x20, 0x7E), (0xA1, 0x24F), (0x370, 0x6FF), (0x900, 0xDFF), (0x2000, 0x2BFF), (0x3041, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF)])
        made.append("".join(chr(draw.randint(*ranges)) for _ in range(draw.randint(3, 24))))
    composed = [unicodedata.normalize("NFC", text) for text in made]
    return list(dict.fromkeys(composed))
