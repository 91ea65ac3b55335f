#!/usr/bin/env bash
# jackson-jq (jq in Kestra's templates, and in other Java products): sums, differences and products of whole numbers wrap at 64
# bits without a word, so a large number plus 0 is negative; one that large cannot be written in a program at all. floor,
# round and ceil give 2.0 and not 2, which shows wherever the value is printed. A fractional index is null.
# jq itself counts with floating point numbers and prints what is whole without a fraction.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > cases <<'TEXT'
9223372036854775807	. + 1
12345678901234567890	. + 0
3037000500	. * .
1	. + 12345678901234567890
2.5	floor
1.5	[round, ceil]
[1, 2, 3]	.[1.5]
TEXT
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>net.thisptr</groupId><artifactId>jackson-jq</artifactId><version>1.6.0</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat > Ask.java <<'JAVA'
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.*;
import net.thisptr.jackson.jq.*;
import net.thisptr.jackson.jq.exception.JsonQueryException;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Scope scope = Scope.newEmptyScope();
        BuiltinFunctionLoader.getInstance().loadFunctions(Versions.JQ_1_6, scope);
        for (String line : Files.readAllLines(Path.of("cases"))) {
            String[] part = line.split("\t");
            StringBuilder out = new StringBuilder();
            try {
                JsonQuery query = JsonQuery.compile(part[1], Versions.JQ_1_6);
                query.apply(Scope.newChildScope(scope), mapper.readTree(part[0]), out::append);
            } catch (JsonQueryException refused) {
                out.append("refused");
            }
            System.out.println("jackson-jq: " + part[0] + " | " + part[1] + " -> " + out);
        }
    }
}
JAVA
javac -cp 'lib/*' Ask.java
python3 -m venv venv > pip.log && venv/bin/pip install -q jq==1.10.0 >> pip.log 2>&1 || { cat pip.log; exit 2; }
cat > ask.py <<'PYTHON'
import jq

for line in open("cases").read().splitlines():
    value, program = line.split("\t")
    out = jq.compile(program).input_text(value).text()
    print(f"jq: {value} | {program} -> {out.replace(' ', '')}")
PYTHON
echo "jackson-jq 1.6.0, Python's jq 1.10.0 (libjq 1.8)"
{ java -cp 'lib/*:.' Ask 2> java.log; venv/bin/python ask.py; } | tee seen
diff - seen <<'EXPECTED'
jackson-jq: 9223372036854775807 | . + 1 -> -9223372036854775808
jackson-jq: 12345678901234567890 | . + 0 -> -6101065172474983726
jackson-jq: 3037000500 | . * . -> -9223372036709301616
jackson-jq: 1 | . + 12345678901234567890 -> refused
jackson-jq: 2.5 | floor -> 2.0
jackson-jq: 1.5 | [round, ceil] -> [2.0,2.0]
jackson-jq: [1, 2, 3] | .[1.5] -> null
jq: 9223372036854775807 | . + 1 -> 9223372036854775808
jq: 12345678901234567890 | . + 0 -> 12345678901234567168
jq: 3037000500 | . * . -> 9223372037000249344
jq: 1 | . + 12345678901234567890 -> 12345678901234567168
jq: 2.5 | floor -> 2
jq: 1.5 | [round, ceil] -> [2,2]
jq: [1, 2, 3] | .[1.5] -> 2
EXPECTED
echo "as found: jackson-jq counts otherwise than jq"
