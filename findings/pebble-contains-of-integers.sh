#!/usr/bin/env bash
# Pebble (the template engine of Kestra's expressions): `contains` on a list of Java Integers is false for every number that is
# written in a template, for those are Longs; `==` between the same two numbers is true. JSON readers give Integers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.pebbletemplates</groupId><artifactId>pebble</artifactId><version>3.2.4</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat > Ask.java <<'JAVA'
import io.pebbletemplates.pebble.PebbleEngine;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        var engine = new PebbleEngine.Builder().build();
        Map<String, Object> context = Map.of("integers", List.of(1, 2), "longs", List.of(1L, 2L));
        for (var list : List.of("integers", "longs")) {
            for (var test : List.of(list + " contains 2", list + "[1] == 2")) {
                var out = new StringWriter();
                engine.getLiteralTemplate("{{ " + test + " }}").evaluate(out, context);
                System.out.println(test + ": " + out);
            }
        }
    }
}
JAVA
echo "pebble 3.2.4"
java -cp 'lib/*' Ask.java 2> log | tee seen # its logger has no place to write, and says so
diff - seen <<'EXPECTED'
integers contains 2: false
integers[1] == 2: true
longs contains 2: true
longs[1] == 2: true
EXPECTED
echo "as found: a list of Integers contains no number of a template"
