#!/usr/bin/env bash
# cron-utils (the library of Kestra's schedules): which of the two 02:30 of the autumn night `30 2 25 10 *` means depends on
# when one asks. Asked in the evening before: the second, 02:30+01:00. Asked after midnight: the
# first, 02:30+02:00. `30 2 * * *` means the first in each case.
# A scheduler that keeps the next date runs such a job an hour later than one that was restarted in that night.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.cronutils</groupId><artifactId>cron-utils</artifactId><version>9.2.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.7</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat > Ask.java <<'JAVA'
import com.cronutils.model.CronType;
import com.cronutils.model.definition.CronDefinitionBuilder;
import com.cronutils.model.time.ExecutionTime;
import com.cronutils.parser.CronParser;
import java.time.ZonedDateTime;
import java.util.List;

public class Ask {
    public static void main(String[] arguments) {
        var parser = new CronParser(CronDefinitionBuilder.instanceDefinitionFor(CronType.UNIX));
        var evening = "2026-10-24T22:00+02:00[Europe/Paris]";
        var midnight = "2026-10-25T00:00+02:00[Europe/Paris]";
        for (var expression : List.of("30 2 25 10 *", "30 2 * * *")) {
            for (var from : List.of(evening, midnight)) {
                var next = ExecutionTime.forCron(parser.parse(expression)).nextExecution(ZonedDateTime.parse(from));
                System.out.println(expression + " | " + from + " | " + next.map(Object::toString).orElse("none"));
            }
        }
    }
}
JAVA
echo "cron-utils 9.2.1"
java -cp 'lib/*' Ask.java | tee seen
diff - seen <<'EXPECTED'
30 2 25 10 * | 2026-10-24T22:00+02:00[Europe/Paris] | 2026-10-25T02:30+01:00[Europe/Paris]
30 2 25 10 * | 2026-10-25T00:00+02:00[Europe/Paris] | 2026-10-25T02:30+02:00[Europe/Paris]
30 2 * * * | 2026-10-24T22:00+02:00[Europe/Paris] | 2026-10-25T02:30+02:00[Europe/Paris]
30 2 * * * | 2026-10-25T00:00+02:00[Europe/Paris] | 2026-10-25T02:30+02:00[Europe/Paris]
EXPECTED
echo "as found: the next date depends on when one asks"
