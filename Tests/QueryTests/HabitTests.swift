import DatasiteProtocol
import Tables
import Testing

@testable import Query

/// What users of PostgreSQL, DuckDB, MySQL, SQL Server, Stata, R and pandas write: it means what they mean by it, or is
/// refused with what to write here.
@Suite("What people write out of habit")
struct HabitTests {
    /// The resolved question: what is filtered, grouped, measured and computed.
    private func meaning(_ sql: String) throws -> [String] {
        let question = try BoundQuestion.bind(sql, Fixtures.context())
        return ["\(question.filter as Any)", "\(question.keys)", "\(question.aggregates)", "\(question.having as Any)"]
            + question.columns.map { "\($0.item)" } + ["\(question.orders)", "\(question.limit as Any)"]
    }

    private static func filter(_ condition: String) -> String { "SELECT COUNT(*) FROM visits WHERE \(condition)" }
    private static func value(_ value: String) -> String { "SELECT SUM(CLAMP(\(value), 0, 9)) FROM visits" }
    private static func key(_ key: String) -> String { "SELECT \(key), COUNT(*) FROM visits GROUP BY 1" }
    private static func select(_ item: String) -> String { "SELECT \(item) FROM visits" }

    /// What is accepted, and what it is the same as.
    static let accepted: [(String, String)] = [
        (filter("age::real > 3"), filter("CAST(age AS REAL) > 3")),
        (filter("(age + 1)::text::int = 3"), filter("CAST(CAST(age + 1 AS TEXT) AS INTEGER) = 3")),
        (filter("day > '1970-02-03'::date"), filter("day > DATE '1970-02-03'")),
        (filter("TRY_CAST(city AS INTEGER) = 3"), filter("CAST(city AS INTEGER) = 3")),
        (filter("CAST(age AS DOUBLE PRECISION) = 3"), filter("CAST(age AS REAL) = 3")),
        (filter("cost::FLOAT8 > 3::INT8"), filter("cost > 3")),
        (filter("age != 3"), filter("age <> 3")),
        (filter("age == 3"), filter("age = 3")),
        (filter("NOT age <-5"), filter("NOT age < -5")),
        (filter("visits<age"), filter("visits < age")),
        (filter("age NOT BETWEEN 3 AND 5"), filter("NOT (age BETWEEN 3 AND 5)")),
        (filter("city NOT LIKE 'a%'"), filter("NOT city LIKE 'a%'")),
        (filter("city LIKE 'a!_%' ESCAPE '!'"), filter("city LIKE 'a\\_%'")),
        (filter("city LIKE 'a\\b' ESCAPE ''"), filter("city LIKE 'a\\\\b'")),
        (filter("city LIKE 'a' || '%'"), filter("city LIKE 'a%'")),
        (filter("insured IS NOT TRUE"), filter("NOT insured IS TRUE")),
        (filter("ISNULL(cost)"), filter("cost IS NULL")),
        (filter("cost IS DISTINCT FROM 3"), filter("NOT (cost IS NOT DISTINCT FROM 3)")),
        (filter("EXTRACT(DOW FROM day) = 0"), filter("EXTRACT(ISODOW FROM day) % 7 = 0")),
        (filter("7 + day > '1970-02-03'"), filter("day + 7 > '1970-02-03'")),
        (filter("day - '1970-01-31' > 3"), filter("day - DATE '1970-01-31' > 3")),
        (filter("age IN (1, 2, NULL)"), filter("age IN (1, 2) OR NULL")),
        (filter("visits.age > 3 AND \"age\" < 9 AND `age` < 8"), filter("age > 3 AND age < 9 AND age < 8")),
        (filter("EXTRACT(EPOCH FROM day) > 3"), filter("EXTRACT(EPOCH FROM CAST(day AS TIMESTAMP)) > 3")),
        (value("NVL(cost, 0)"), value("COALESCE(cost, 0)")),
        (value("IFNULL(cost, 0)"), value("COALESCE(cost, 0)")),
        (value("ISNULL(cost, 0)"), value("COALESCE(cost, 0)")),
        (value("IIF(age > 3, 1, 0)"), value("IF(age > 3, 1, 0)")),
        (value("POW(age, 2)"), value("POWER(age, 2)")),
        (value("CEILING(cost)"), value("CEIL(cost)")),
        (value("LEN(city)"), value("LENGTH(city)")),
        (value("CHAR_LENGTH(city)"), value("LENGTH(city)")),
        (value("CHARACTER_LENGTH(city)"), value("LENGTH(city)")),
        (value("MOD(age, 7)"), value("age % 7")),
        (value("LENGTH(UCASE(LCASE(city)))"), value("LENGTH(UPPER(LOWER(city)))")),
        (value("LENGTH(SUBSTRING(city FROM 2 FOR 3))"), value("LENGTH(SUBSTR(city, 2, 3))")),
        (value("LENGTH(SUBSTRING(city FROM 2))"), value("LENGTH(SUBSTR(city, 2))")),
        (value("LENGTH(SUBSTRING(city FOR 3))"), value("LENGTH(SUBSTR(city, 1, 3))")),
        (value("LENGTH(MID(city, 2, 3))"), value("LENGTH(SUBSTR(city, 2, 3))")),
        (value("LENGTH(LEFT(city, 3))"), value("LENGTH(SUBSTR(city, 1, 3))")),
        (value("LENGTH(city || 'x' || age)"), value("LENGTH(city || ('x' || CAST(age AS TEXT)))")),
        (key("CONCAT(plan, '!', insured)"), key("COALESCE(plan, '') || '!' || COALESCE(CAST(insured AS TEXT), '')")),
        (key("DAYOFMONTH(day)"), key("DAY(day)")),
        (key("date_trunc('MONTH', day)"), key("DATE_TRUNC('month', day)")),
        (select("MEAN(cost)"), select("AVG(cost)")),
        (select("COUNT(1)"), select("COUNT(*)")),
        (select("COUNT(IF(age > 3, 1, NULL))"), select("COUNT(CASE WHEN age > 3 THEN 1 ELSE NULL END)")),
        (select("SUM(CASE WHEN age > 3 THEN 1 ELSE 0 END)"), select("SUM(IF(age > 3, 1, 0))")),
        (select("VAR_POP(cost), STDDEV_POP(cost)"), select("VARIANCE(cost), STDDEV(cost)")),
        (select("ROUND(AVG(cost)::numeric, 2)"), select("ROUND(AVG(cost), 2)")),
        ("SELECT COUNT(*) FROM visits LIMIT 1e1", "SELECT COUNT(*) FROM visits LIMIT 10"),
        ("SELECT COUNT(*) FROM visits HAVING COUNT(*) > 5;", "SELECT COUNT(*) AS n FROM visits HAVING n > 5"),
        ("SELECT COUNT(*) \"order\" FROM visits", "SELECT COUNT(*) AS \"order\" FROM visits"),
        (
            "SELECT COUNT(*) FROM visits JOIN clinics ON person = patient",
            "SELECT COUNT(*) FROM visits JOIN clinics ON visits.person = clinics.patient"
        ),
        (
            "SELECT COUNT(*) FROM visits JOIN clinics ON patient = person",
            "SELECT COUNT(*) FROM visits JOIN clinics ON visits.person = clinics.patient"
        ),
    ]

    @Test("What is accepted means the same as what the page says", arguments: accepted)
    func accepts(_ written: String, _ here: String) throws {
        #expect(Fixtures.error(written) == nil)
        #expect(try meaning(written) == meaning(here))
    }

    /// What is refused, and a part of the hint that only the right one has.
    static let refused: [(String, String)] = [
        // Aggregates.
        (select("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY cost)"), "QUANTILE(x, 0.25)"),
        (select("PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY cost)"), "QUANTILE(x, 0.25)"),
        (select("QUANTILE_CONT(cost, 0.5)"), "QUANTILE(x, 0.25)"),
        (select("APPROX_QUANTILE(cost, 0.5)"), "QUANTILE(x, 0.25)"),
        (select("MODE(plan)"), "GROUP BY x ORDER BY COUNT(*) DESC LIMIT 1"),
        (select("mode() WITHIN GROUP (ORDER BY plan)"), "GROUP BY x ORDER BY COUNT(*) DESC LIMIT 1"),
        (select("STDDEV_SAMP(cost)"), "SQRT(n / (n - 1))"),
        (select("VAR_SAMP(cost)"), "SQRT(n / (n - 1))"),
        (select("sd(cost)"), "STDDEV(x)"),
        (select("STDEV(cost)"), "STDDEV(x)"),
        (select("var(cost)"), "VARIANCE(x)"),
        (select("CORR(cost, age)"), "AVG(x * y)"),
        (select("COVAR_POP(cost, age)"), "AVG(x * y)"),
        (select("cor(cost, age)"), "AVG(x * y)"),
        (select("REGR_SLOPE(cost, age)"), "LINEAR_REGRESSION"),
        (select("SKEWNESS(cost)"), "AVG(POWER(x, 3))"),
        (select("GROUP_CONCAT(city SEPARATOR ',')"), "No list of values"),
        (select("STRING_AGG(city, ',' ORDER BY city)"), "No list of values"),
        (select("ARRAY_AGG(city)"), "No list of values"),
        (select("LISTAGG(city, ',')"), "No list of values"),
        (select("ANY_VALUE(city)"), "One row's value"),
        (select("FIRST(city)"), "One row's value"),
        (select("ARG_MAX(city, cost)"), "One row's value"),
        (select("APPROX_COUNT_DISTINCT(city)"), "COUNT(DISTINCT unit)"),
        (select("COUNT(DISTINCT city)"), "COUNT(DISTINCT person)"),
        (select("n_distinct(city)"), "COUNT(DISTINCT unit)"),
        (select("n()"), "COUNT(*)"),
        (select("COUNT_IF(age > 3)"), "CASE WHEN condition"),
        (select("SUMIF(age, 3)"), "CASE WHEN condition"),
        (select("BOOL_AND(insured)"), "AVG(condition)"),
        (select("AVERAGE(cost)"), "Write AVG(x)"),
        (select("TOTAL(cost)"), "Write SUM(x)"),
        (select("PRODUCT(cost)"), "EXP(SUM(LN(x)))"),
        (select("MAD(cost)"), "QUANTILE(x, 0.25)"),
        (select("AVG(LENGTH(city))"), "CLAMP(x, 0, 100)"),
        (select("SUM(DISTINCT cost)"), "COUNT(DISTINCT unit)"),
        (select("COUNT(*) OVER (PARTITION BY plan)"), "SELECT"),
        (select("ROW_NUMBER() OVER (ORDER BY cost)"), "no window functions"),
        (select("RANK() OVER (ORDER BY cost)"), "no window functions"),
        (select("LAG(cost) OVER (ORDER BY day)"), "no window functions"),
        (select("COUNT(*) FILTER (WHERE age > 3)"), "CASE WHEN condition THEN x END"),
        (select("FIRST_VALUE(cost IGNORE NULLS)"), "no window functions"),
        (select("table(plan)"), "COUNT(*), with GROUP BY"),
        (select("summary(cost)"), "DESCRIBE"),
        // Dates.
        (filter("DATEDIFF(day, '1970-01-01') > 3"), "d1 - d2 is a number of days"),
        (filter("DATE_DIFF('day', day, day) > 3"), "d1 - d2 is a number of days"),
        (filter("DATEADD(day, 7, day) > '1970-02-03'"), "d + 7 a date"),
        (filter("AGE(day) > 3"), "d1 - d2"),
        (filter("day + INTERVAL '7 days' > '1970-02-03'"), "d + 7"),
        (filter("day < NOW()"), "Write the date out"),
        (filter("day < CURRENT_DATE"), "Write the date out"),
        (filter("day < GETDATE()"), "Write the date out"),
        (filter("day < CURDATE()"), "Write the date out"),
        (filter("CAST(day AS TIMESTAMP) - CAST(day AS TIMESTAMP) > 3"), "EXTRACT(EPOCH FROM t)"),
        (filter("CAST(day AS TIMESTAMP) + 7 > day"), "EXTRACT(EPOCH FROM t)"),
        (filter("day + 1.5 > '1970-02-03'"), "d + 7"),
        (filter("day * 2 > 3"), "CAST(t AS DATE)"),
        (filter("day = 1970"), "YEAR(d) = 2020"),
        (filter("day = 'yesterday'"), "Write '2020-01-31'"),
        (filter("day = '31.01.1970'"), "Write '2020-01-31'"),
        (filter("day > TO_DATE('1970-01-31', 'YYYY-MM-DD')"), "DATE '2020-01-31'"),
        (filter("day > DATE('1970-01-31')"), "DATE '2020-01-31'"),
        (filter("STRPTIME(city, '%Y') > day"), "CAST(x AS DATE)"),
        (key("TO_CHAR(day, 'YYYY-MM')"), "DATE_TRUNC('month', d)"),
        (key("STRFTIME(day, '%Y-%m')"), "DATE_TRUNC('month', d)"),
        (key("DATE_FORMAT(day, '%Y')"), "DATE_TRUNC('month', d)"),
        (key("DATE_PART('year', day)"), "YEAR(d)"),
        (key("DATEPART(year, day)"), "YEAR(d)"),
        (key("YEAR(age)"), "BIN(x, 10)"),
        (key("EXTRACT(CENTURY FROM day)"), "Parts are YEAR"),
        (key("day AT TIME ZONE 'UTC'"), "Times are UTC"),
        (filter("CAST(age AS DATE) > day"), "DATE '1970-01-01' + days"),
        (filter("CAST(day AS INTEGER) > 3"), "d - DATE '1970-01-01'"),
        (filter("UNIX_TIMESTAMP(day) > 3"), "EXTRACT(EPOCH FROM t)"),
        // Numbers.
        (value("LOG(cost)"), "LN(x) / LN(10)"),
        (value("LOG10(cost)"), "LN(x) / LN(10)"),
        (value("cost ^ 2"), "POWER(x, y)"),
        (value("cost ** 2"), "POWER(x, y)"),
        (value("age // 10"), "FLOOR(x / y)"),
        (value("age DIV 10"), "FLOOR(x / y)"),
        (value("age %% 10"), "x % y"),
        (value("TRUNC(cost)"), "FLOOR(x)"),
        (value("int(cost)"), "FLOOR(x)"),
        (value("SIGN(cost)"), "CASE WHEN x > 0"),
        (value("SIN(cost)"), "no trigonometry"),
        (value("CBRT(cost)"), "POWER(x, 1.0 / 3)"),
        (value("WIDTH_BUCKET(cost, 0, 10, 5)"), "BIN(x, 10)"),
        (value("cut(age, 10)"), "BIN(x, 10)"),
        (value("pmin(cost, 3)"), "LEAST(x, y)"),
        (value("pmax(cost, 3)"), "GREATEST(x, y)"),
        (value("clip(cost, 0, 3)"), "CLAMP(x, 0, 100)"),
        (value("1_000"), "1000, 2.5 or 1e3"),
        (value("0x1F"), "1000, 2.5 or 1e3"),
        (filter("age > 18yrs"), "1000, 2.5 or 1e3"),
        (select("SUM(free_number)"), "CLAMP(x, 0, 100)"),
        (filter("RAND() < 0.1"), "costs as much as all"),
        (filter("1 < age < 5"), "BETWEEN 1 AND 5"),
        (value("age + insured"), "CASE WHEN"),
        (value("'5' + age"), "without quotes: 5"),
        (value("city + 1"), "CAST(x AS REAL)"),
        (value("CONVERT(cost, SIGNED)"), "CAST(x AS INTEGER)"),
        (value("TO_NUMBER(city)"), "CAST(x AS INTEGER)"),
        (value("as_numeric(city)"), "CAST(x AS INTEGER)"),
        (value("cost::numeric(10, 2)"), "ROUND(x, 2)"),
        (value("cost::money"), "Types are INTEGER"),
        (value("CAST(city AS VARCHAR(10))"), "Types are INTEGER"),
        // Text.
        (filter("age = '5'"), "without quotes: 5"),
        (filter("'5' = age"), "without quotes: 5"),
        (filter("age IN ('1', '2')"), "without quotes: 1"),
        (filter("age = 'five'"), "a number, such as 5"),
        (filter("plan = 5"), "single quotes: '5'"),
        (filter("plan = \"free\""), "Text stands between single quotes"),
        (filter("age = \"5\""), "Text stands between single quotes"),
        (filter("plan = ‘free’"), "straight quotes"),
        (filter("insured = 'yes'"), "TRUE or FALSE"),
        (filter("insured = 1"), "TRUE or FALSE"),
        (filter("city = age"), "CAST(x AS TEXT)"),
        (filter("day = city"), "CAST(x AS DATE)"),
        (filter("city ILIKE 'a%'"), "LOWER(x) LIKE 'a%'"),
        (filter("city SIMILAR TO 'a%'"), "LOWER(x) LIKE 'a%'"),
        (filter("city REGEXP '^a'"), "x LIKE 'a%'"),
        (filter("city RLIKE '^a'"), "x LIKE 'a%'"),
        (filter("city GLOB 'a*'"), "x LIKE 'a%'"),
        (filter("city ~ '^a'"), "x LIKE 'a%'"),
        (filter("city ~* '^a'"), "x LIKE 'a%'"),
        (filter("city !~ '^a'"), "x LIKE 'a%'"),
        (filter("REGEXP_MATCHES(city, '^a')"), "x LIKE 'a%'"),
        (filter("grepl('a', city)"), "x LIKE 'a%'"),
        (filter("CONTAINS(city, 'a')"), "x LIKE 'a%'"),
        (filter("STARTS_WITH(city, 'a')"), "x LIKE 'a%'"),
        (filter("POSITION('a' IN city) > 0"), "x LIKE 'a%'"),
        (filter("CHARINDEX('a', city) > 0"), "x LIKE 'a%'"),
        (filter("REPLACE(city, 'a', 'b') = 'b'"), "SUBSTR(x, 1, 3)"),
        (filter("RIGHT(city, 3) = 'abc'"), "SUBSTR(x, 1, 3)"),
        (filter("SPLIT_PART(city, ' ', 1) = 'a'"), "SUBSTR(x, 1, 3)"),
        (filter("SUBSTR(city, 1, -1) = 'a'"), "counted from the start"),
        (filter("city LIKE 'a!' ESCAPE '!'"), "twice"),
        (filter("city LIKE 'a' ESCAPE '!!'"), "ESCAPE '!'"),
        (filter("city LIKE plan"), "x LIKE 'a%'"),
        (filter("paste(city, plan) = 'a'"), "x || ' ' || y"),
        (filter("CONCAT_WS(' ', city, plan) = 'a'"), "x || ' ' || y"),
        (filter("nchar(city) > 3"), "LENGTH(x)"),
        (filter("tolower(city) = 'a'"), "LOWER(x)"),
        (filter("city.str.lower() = 'a'"), "Functions stand before"),
        (filter("MD5(city) = 'a'"), "no hashes"),
        (filter("city[1] = 'a'"), "SUBSTR(x, 1, 3)"),
        (filter("city = 'a' COLLATE NOCASE"), "LOWER(x)"),
        // Conditions and null.
        (filter("age > 3 && age < 5"), "Write AND"),
        (filter("insured || age > 3"), "Write a OR b"),
        (filter("!insured"), "Write NOT x"),
        (filter("age > 3 & age < 5"), "Write AND"),
        (filter("age > 3 | age < 5"), "Write OR"),
        (filter("insured XOR insured"), "a <> b"),
        (filter("cost == NA"), "x IS NULL"),
        (filter("cost = None"), "x IS NULL"),
        (filter("cost = NaN"), "x IS NULL"),
        (filter("cost NOT NULL"), "x IS NOT NULL"),
        (filter("cost NOTNULL"), "x IS NOT NULL"),
        (filter("cost ISNULL"), "x IS NULL"),
        (filter("is.na(cost)"), "x IS NULL"),
        (filter("IS_NULL(cost)"), "x IS NULL"),
        (filter("missing(cost)"), "x IS NULL"),
        (filter("cost IS UNKNOWN"), "x IS NULL"),
        (filter("cost IS 3"), "Write x = y"),
        (filter("cost <=> NULL"), "IS NOT DISTINCT FROM"),
        (value("fillna(cost, 0)"), "COALESCE(x, 0)"),
        (value("NVL2(cost, 1, 0)"), "CASE WHEN"),
        (value("DECODE(plan, 'free', 1, 0)"), "CASE WHEN"),
        (value("ifelse(age > 3, 1, 0)"), "IF(x = 1"),
        (value("if_else(age > 3, 1, 0)"), "IF(x = 1"),
        (value("case_when(age > 3)"), "CASE WHEN"),
        (value("IF age > 3 THEN 1 ELSE 0 END"), "CASE WHEN x > 0"),
        (value("1 if age > 3 else 0"), "IF(x > 0, 1, 0)"),
        (filter("age"), "Compare it"),
        (filter("age %in% c(1, 2)"), "x IN (1, 2, 3)"),
        (filter("age = ANY (1, 2)"), "x IN (1, 2, 3)"),
        (filter("age IN [1, 2]"), "'('"),
        (filter("age IN (SELECT age FROM visits)"), "list of literals"),
        (filter("age > (SELECT AVG(age) FROM visits)"), "value first"),
        (filter("EXISTS (SELECT 1 FROM clinics)"), "JOIN the other table"),
        (filter("age BETWEEN 3, 5"), "x BETWEEN 1 AND 5"),
        (filter("age = :limit"), "no parameters"),
        (filter("age = @limit"), "no variables"),
        (filter("age = $1"), "no parameters"),
        // Names.
        ("SELECT COUNT(*) AS n FROM visits WHERE n > 3", "HAVING"),
        ("SELECT age + 1 AS next, SUM(next) FROM visits GROUP BY 1", "Write the expression out"),
        ("SELECT COUNT(*) AS order FROM visits", "double quotes: \"order\""),
        ("SELECT COUNT(*) AS 'total' FROM visits", "without quotes"),
        (filter("visits$age > 3"), "column alone: age"),
        (filter("agee > 3"), "Did you mean age?"),
        ("SELECT COUNT(*) FROM vists", "Did you mean visits?"),
        ("SELECT COUNT(*) FROM main.visits", "without main"),
        ("SELECT COUNT(*) FROM [visits]", "dataset"),
        (filter("plan = free"), "single quotes: 'a'"),
        (filter("city = E'a'"), "single quotes: 'a'"),
        ("SELECT COUNT(*) FROM 'visits'", "without quotes"),
        (key("CASE WHEN age > 3 THEN 'x' ELSE 0 END"), "'0' is a text"),
        (key("COALESCE(city, 0)"), "'0' is a text"),
        (value("CASE age > 3 THEN 1 ELSE 0 END"), "CASE WHEN x > 3"),
        (value("CASE WHEN age > 3 1 END"), "CASE WHEN x > 3"),
        (key("DATE_TRUNC(month, day)"), "DATE_TRUNC('month', d)"),
        (key("EXTRACT(year, day)"), "EXTRACT(YEAR FROM d)"),
        (filter("day > '1970-02-03' - 7"), "DATE '2020-01-31'"),
        (filter("age => 5"), ">="), (filter("age =< 5"), "<="), (filter("age === 5"), "x = y"),
        (select("MAX(city)"), "Count text"), (select("SUM(*)"), "SUM(x)"),
        ("SELECT COUNT(*) FROM visits ORDER plan", "ORDER BY x"),
        ("SELECT COUNT(*) FROM visits SORT BY plan", "ORDER BY x"),
        // Statements and clauses.
        ("SELECT * FROM visits", "COUNT(*)"),
        ("SELECT TOP 5 plan, COUNT(*) FROM visits GROUP BY plan", "ORDER BY COUNT(*) DESC"),
        ("SELECT DISTINCT plan FROM visits", "GROUP BY"),
        ("SELECT plan, COUNT(*) FROM visits", "Add it to GROUP BY"),
        ("SELECT plan, COUNT(*) FROM visits GROUP BY ALL", "Name the keys"),
        ("SELECT COUNT(*) FROM visits UNION SELECT COUNT(*) FROM visits", "one question for each part"),
        ("SELECT COUNT(*) FROM visits EXCEPT SELECT COUNT(*) FROM visits", "AND NOT"),
        ("SELECT COUNT(*) FROM visits INTERSECT SELECT COUNT(*) FROM visits", "with AND"),
        ("WITH t AS (SELECT * FROM visits) SELECT COUNT(*) FROM t", "conditions in WHERE"),
        ("SELECT COUNT(*) FROM (SELECT * FROM visits) t", "conditions in WHERE"),
        ("SELECT COUNT(*) FROM visits, clinics", "JOIN"),
        ("SELECT COUNT(*) FROM visits v RIGHT JOIN clinics c ON v.person = c.patient", "LEFT JOIN"),
        ("SELECT COUNT(*) FROM visits SEMI JOIN clinics ON person = patient", "keeps the rows that have a match"),
        ("SELECT COUNT(*) FROM visits FETCH FIRST 5 ROWS ONLY", "LIMIT 5"),
        ("SELECT COUNT(*) FROM visits LIMIT 5, 10", "OFFSET"),
        ("SELECT COUNT(*) FROM visits QUALIFY COUNT(*) > 3", "window"),
        ("SELECT COUNT(*) FROM visits TABLESAMPLE 10", "costs as much as all"),
        ("SELECT COUNT(*) FROM visits PIVOT (COUNT(*) FOR plan IN ('free'))", "CASE WHEN x = 'a'"),
        ("SELECT COUNT(*) FROM visits FOR UPDATE", "changes nothing"),
        ("SELECT COUNT(*) FROM visits GROUP BY ROLLUP(plan)", "one question a grouping"),
        ("SELECT plan, COUNT(*) INTO t FROM visits GROUP BY plan", "--answer"),
        ("SHOW TABLES", "parley data list"),
        ("DESCRIBE visits", "parley data show"),
        ("EXPLAIN SELECT COUNT(*) FROM visits", "--dry-run"),
        ("FROM visits SELECT COUNT(*)", "SELECT comes first"),
        ("DROP TABLE visits", "changes nothing"),
        ("df.groupby('plan').cost.mean()", "A question is SQL"),
        ("df['cost'].mean()", "A question is SQL"),
        ("visits %>% group_by(plan) %>% summarise(mean(cost))", "A question is SQL"),
        ("library(dplyr)", "A question is SQL"),
        ("aggregate(cost ~ plan, visits, mean)", "A question is SQL"),
        ("tabulate plan", "A question is SQL"),
        ("summarize cost", "A question is SQL"),
        ("regress cost age", "A question is SQL"),
    ]

    @Test("What is refused says what to write here", arguments: refused)
    func refuses(_ written: String, _ words: String) throws {
        let error = try #require(Fixtures.error(written))
        let hint = error.hint ?? error.message
        #expect(hint.contains(words) || error.message.contains(words), "\(error)")
        #expect(!hint.contains("Did you mean") || words.contains("Did you mean"), "\(error)")
    }

    @Test("At least 150 things are covered")
    func covered() { #expect(Self.refused.count + Self.accepted.count >= 150) }

    @Test("What a hint says to write can be written, and is no function that there is not")
    func hints() {
        for hint in Set(ForeignSQL.functions.values).union(ForeignSQL.words.values).union(ForeignSQL.statements.values)
        {
            for match in hint.matches(of: #/\b([A-Z][A-Z_]+)\(/#) {
                #expect(ForeignSQL.functions[String(match.1)] == nil, "\(hint)")
            }
        }
        for name in Binder.functionNames + Binder.aggregateNames {
            #expect(ForeignSQL.functions[name] == nil, "\(name)")
        }
    }

    @Test("A name that two joined tables have is refused, and both are named")
    func ambiguous() throws {
        let second = DatasetDescription(
            name: "again", schema: Fixtures.visits.schema,
            unit: UnitDeclaration(column: 0, rowsPerUnit: 1, groupsPerUnit: 1),
            capacityRows: 100, population: "people")
        let context = PlanningContext(datasets: [Fixtures.visits, second], regime: Fixtures.zCDP)
        for condition in ["person = person", "visits.person = person"] {
            let error = #expect(throws: QueryError.self) {
                try Planner.plan(
                    Question(sql: "SELECT COUNT(*) FROM visits JOIN again ON \(condition)", budget: .rho(1)),
                    in: context)
            }
            #expect(error?.hint == "Write visits.person or again.person.")
        }
    }

    @Test("Bounds that are too wide are called that, not undeclared")
    func tooWide() throws {
        let wide = DatasetDescription(
            name: "t",
            schema: Schema(columns: [
                ColumnSchema(name: "v", type: .real, lowerBound: 0, upperBound: 1e308),
                ColumnSchema(name: "w", type: .real, lowerBound: 0, upperBound: 1e20),
            ]), unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 100,
            population: "people")
        let context = PlanningContext(datasets: [wide], regime: Fixtures.zCDP)
        for sum in ["SUM(v)", "AVG(v)", "SUM(w * w)", "MEDIAN(v)"] {
            let error = #expect(throws: QueryError.self) {
                try Planner.plan(Question(sql: "SELECT \(sum) FROM t", budget: .rho(1)), in: context)
            }
            #expect(
                error?.message.contains("too wide") == true && error?.hint?.contains("CLAMP(x, 0, 1000000)") == true)
        }
        #expect(throws: Never.self) {
            try Planner.plan(
                Question(sql: "SELECT SUM(CLAMP(v, 0, 1000000)) FROM t", budget: .rho(1)), in: context)
        }
    }
}
