/*
 * After the cases of JSONTestSuite (N. Seriot, MIT licence) and what Sluice adds to RFC 8259: a number beyond a double
 * is refused, as are lone surrogates.
 */
#include "conform/corpus.h"

#define TEXT(text)                                                                                                     \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

/* clang-format off */
const struct sluice_bytes corpus_valid[] = {
	TEXT("[[]   ]"), TEXT("[\"\"]"), TEXT("[]"), TEXT("[\"a\"]\n"), TEXT("[false]"), TEXT("[null, 1, \"1\", {}]"),
	TEXT("[null]"), TEXT("[1\n]"), TEXT(" [1]"), TEXT("[1,null,null,null,2]"), TEXT("[2] "), TEXT("[123e65]"),
	TEXT("[0e+1]"), TEXT("[0e1]"), TEXT("[ 4]"),
	TEXT("[9223372036854775808, -9223372036854775809, 18446744073709551616]"), TEXT("[20e1]"),
	TEXT("[1.7976931348623157e308]"), TEXT("[-0]"), TEXT("[-123]"), TEXT("[-1]"), TEXT("[-0.0]"), TEXT("[1E22]"),
	TEXT("[1E-2]"), TEXT("[1E+2]"), TEXT("[123e45]"), TEXT("[123.456e78]"), TEXT("[1e-2]"), TEXT("[1e+2]"),
	TEXT("[1e-400]"), TEXT("[123]"), TEXT("[123.456789]"),
	TEXT("[1000000000000000000000000000000000000000000000]"), TEXT("[123e-10000000]"),
	TEXT("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), TEXT("{\"asd\":\"sdf\"}"), TEXT("{}"), TEXT("{\"\":0}"),
	TEXT("{\"foo\\u0000bar\": 42}"), TEXT("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), TEXT("{\"a\":1,\"A\":2}"),
	TEXT("{\"\\u00e9\":1,\"e\\u0301\":2}"), TEXT("{\"x\":{\"a\":\"b\",\"a\":\"c\"}}"), TEXT("{\n\"a\": \"b\"\n}"),
	TEXT("[\"\\u0060\\u012a\\u12AB\"]"), TEXT("[\"\\uD801\\udc37\"]"), TEXT("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
	TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), TEXT("[\"\\\\u0000\"]"), TEXT("[\"\\\"\"]"),
	TEXT("[\"a/*b*/c/*d//e\"]"), TEXT("[\"\\\\a\"]"), TEXT("[\"\\\\n\"]"), TEXT("[\"\\u0012\"]"),
	TEXT("[\"\\uFFFF\"]"), TEXT("[\"asd\"]"), TEXT("[ \"asd\"]"), TEXT("[\"\\uDBFF\\uDFFF\"]"),
	TEXT("[\"new\\u00A0line\"]"), TEXT("[\"\364\217\277\277\"]"), TEXT("[\"\357\277\277\"]"),
	TEXT("[\"\\u0000\"]"), TEXT("[\"\\u002c\"]"), TEXT("[\"\317\200\"]"), TEXT("[\"\360\233\277\277\"]"),
	TEXT("[\"asd \"]"), TEXT("\" \""), TEXT("[\"\\uD834\\uDd1e\"]"), TEXT("[\"\\u0821\"]"), TEXT("[\"\\u0123\"]"),
	TEXT("[\"\342\200\250\"]"), TEXT("[\"\342\200\251\"]"), TEXT("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"),
	TEXT("[\"new\\u000Aline\"]"), TEXT("[\"\177\"]"), TEXT("[\"\\uA66D\"]"), TEXT("[\"\\u005C\"]"),
	TEXT("[\"\342\215\202\343\210\264\342\215\202\"]"), TEXT("[\"\\u0022\"]"),
	TEXT("[\"\342\202\254\360\235\204\236\"]"), TEXT("[\"a\177a\"]"), TEXT("false"), TEXT("42"), TEXT("-0.1"),
	TEXT("\"asd\""), TEXT("true"), TEXT("\"\""), TEXT("[true]"), TEXT(" [] "),
	{NULL, 0},
};

const struct sluice_bytes corpus_invalid[] = {
	TEXT("[1 true]"), TEXT("[\"\": 1]"), TEXT("[\"\"],"), TEXT("[,1]"), TEXT("[1,,2]"), TEXT("[\"x\",,]"),
	TEXT("[\"x\"]]"), TEXT("[\"\",]"), TEXT("[\"x\""), TEXT("[x"), TEXT("[3[4]]"), TEXT("[\377]"), TEXT("[1:2]"),
	TEXT("[,]"), TEXT("[-]"), TEXT("[   , \"\"]"), TEXT("[\"a\",\n4\n,1,"), TEXT("[1,]"), TEXT("[\"\013a\"\\f]"),
	TEXT("[*]"), TEXT("[\"\""), TEXT("[1,"), TEXT("[{}"), TEXT("[fals]"), TEXT("[nul]"), TEXT("[tru]"),
	TEXT("123\000"), TEXT("[++1234]"), TEXT("[+1]"), TEXT("[+Inf]"), TEXT("[-01]"), TEXT("[-1.0.]"),
	TEXT("[-2.]"), TEXT("[-NaN]"), TEXT("[.-1]"), TEXT("[.2e-3]"), TEXT("[0.1.2]"), TEXT("[0.3e+]"),
	TEXT("[0.3e]"), TEXT("[0.e1]"), TEXT("[0E+]"), TEXT("[0E]"), TEXT("[0e+]"), TEXT("[0e]"), TEXT("[1.0e+]"),
	TEXT("[1.0e-]"), TEXT("[1.0e]"), TEXT("[1 000.0]"), TEXT("[1e999]"), TEXT("[1e309]"), TEXT("[-1e309]"),
	TEXT("[1.7976931348623159e308]"), TEXT("[0.00017976931348623159e312]"), TEXT("[1eE2]"), TEXT("[2.e+3]"),
	TEXT("[2.e-3]"), TEXT("[2.e3]"), TEXT("[9.e+]"), TEXT("[Inf]"), TEXT("[NaN]"), TEXT("[\357\274\221]"),
	TEXT("[1+2]"), TEXT("[0x1]"), TEXT("[0x42]"), TEXT("[Infinity]"), TEXT("[0e+-1]"), TEXT("[-123.123foo]"),
	TEXT("[123\345]"), TEXT("[1e1\345]"), TEXT("[-Infinity]"), TEXT("[-foo]"), TEXT("[- 1]"), TEXT("[-1e+9999]"),
	TEXT("[-012]"), TEXT("[-.123]"), TEXT("[-1x]"), TEXT("[1.5e+9999]"), TEXT("[1ea]"), TEXT("[1.]"),
	TEXT("[.123]"), TEXT("[1\000,2]"), TEXT("[1\000]"), TEXT("[1.2a-3]"), TEXT("[012]"), TEXT("[\"x\", truth]"),
	TEXT("{[: \"x\"}\n"), TEXT("{\"x\", null}"), TEXT("{\"x\"::\"b\"}"),
	TEXT("{\360\237\207\250\360\237\207\255}"), TEXT("{\"a\":\"a\" 123}"), TEXT("{key: 'value'}"),
	TEXT("{\"\271\":\"0\",}"), TEXT("{\"a\" b}"), TEXT("{:\"b\"}"), TEXT("{\"a\" \"b\"}"), TEXT("{\"a\":"),
	TEXT("{\"a\""), TEXT("{1:1}"), TEXT("{null:null,null:null}"), TEXT("{\"id\":0,,,,,}"), TEXT("{'a':0}"),
	TEXT("{\"id\":0,}"), TEXT("{\"a\":\"b\"}/**/"), TEXT("{\"a\":\"b\"}//"), TEXT("{\"a\":\"b\",,\"c\":\"d\"}"),
	TEXT("{a: \"b\"}"), TEXT("{\"a\":\"a"), TEXT("{ \"foo\" : \"bar\", \"a\" }"), TEXT("{\"a\":\"b\"}#"),
	TEXT("[\"\\uD800\\\"]"), TEXT("[\"\\uD800\\u\"]"), TEXT("[\"\\uD800\\u1\"]"), TEXT("[\"\\uDADA\"]"),
	TEXT("[\"\\uD888\\u1234\"]"), TEXT("\377\376[\000\"\000\351\000\"\000]\000"), TEXT("[\"\355\240\200\"]"),
	TEXT("[\303\251]"), TEXT("[\"\\\000\"]"), TEXT("[\"\\x00\"]"), TEXT("[\"\\\\\\\"]"), TEXT("[\"\\\t\"]"),
	TEXT("[\"\\\360\237\214\200\"]"), TEXT("[\"\\\"]"), TEXT("[\"\\u00A\"]"), TEXT("[\"\\uD834\\uDd\"]"),
	TEXT("[\"\\uD800\\n\"]"), TEXT("[\"\\uDd1ea\"]"), TEXT("[\"\\uD800\\uD800\\n\"]"), TEXT("[\"\\a\"]"),
	TEXT("[\"\\ud800\"]"), TEXT("[\"\\uqqqq\"]"), TEXT("[\"\377\"]"), TEXT("[\"\\\345\"]"),
	TEXT("[\"\\uDd1e\\uD834\"]"), TEXT("[\"\351\"]"), TEXT("[\\u0020\"asd\"]"), TEXT("[\"\\uDFAA\"]"),
	TEXT("[\"\201\"]"), TEXT("[\\n]"), TEXT("[\"\364\277\277\277\"]"), TEXT("[\"\300\257\"]"),
	TEXT("[\"\374\203\277\277\277\277\"]"), TEXT("[\"\374\200\200\200\200\200\"]"), TEXT("\""),
	TEXT("['single quote']"), TEXT("abc"), TEXT("[\"\\"), TEXT("[\"\340\377\"]"), TEXT("[\"a\000a\"]"),
	TEXT("[\"new\nline\"]"), TEXT("[\"\t\"]"), TEXT("\"\\UA66D\""), TEXT("\000[\000\"\000\351\000\"\000]"),
	TEXT("[\000\"\000\351\000\"\000]\000"), TEXT("\"\"x"), TEXT("[\342\201\240]"), TEXT("\357\273\277{}"),
	TEXT("<.>"), TEXT("[<null>]"), TEXT("[1]x"), TEXT("[1]]"), TEXT("[\"asd]"), TEXT("a\303\245"), TEXT("[True]"),
	TEXT("1]"), TEXT("{\"x\": true,"), TEXT("[][]"), TEXT("]"), TEXT("\357\273{}"), TEXT("\345"), TEXT("["),
	TEXT("[\000]"), TEXT("2@"), TEXT("{}}"), TEXT("{\"\":"), TEXT("{\"a\":/*comment*/\"b\"}"),
	TEXT("{\"a\": true} \"x\""), TEXT("['"), TEXT("[,"), TEXT("[{"), TEXT("[\"a"), TEXT("[\"a\""), TEXT("{"),
	TEXT("{]"), TEXT("{,"), TEXT("{["), TEXT("{\"a"), TEXT("{'a'"), TEXT("[\"\\{[\"\\{[\"\\{[\"\\{"),
	TEXT("\351"), TEXT("*"), TEXT("{\"a\":\"b\"}#{}"), TEXT("[\\u000A\"\"]"), TEXT("[1"), TEXT("[ false, nul"),
	TEXT("{\"asd\":\"asd\""), TEXT("\303\245"), TEXT("\342\201\240"), TEXT("[\014]"),
	{NULL, 0},
};
/* clang-format on */
