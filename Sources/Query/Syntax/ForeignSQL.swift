/// What people write out of habit (PostgreSQL, DuckDB, MySQL, SQL Server, Stata, R, pandas), and what to write here: a hint
/// that misleads is worse than none.
enum ForeignSQL {
    /// Functions that there are not, by upper-case name.
    static let functions: [String: String] = Dictionary(
        groups.flatMap { names, hint in names.split(separator: " ").map { (String($0), hint) } },
        uniquingKeysWith: { first, _ in first })

    private static let quantile = "Write QUANTILE(x, 0.25), and MEDIAN(x) for the median."
    private static let sample =
        "STDDEV(x) and VARIANCE(x) divide by the number of values n; times SQRT(n / (n - 1)), and n / (n - 1), they are the "
        + "sample's."
    private static let days =
        "Dates count in days: d1 - d2 is a number of days, d + 7 a date; parts are YEAR(d), MONTH(d)."
    private static let moments =
        "Write the means: AVG(x * y) - AVG(x) * AVG(y) is the covariance, divided by STDDEV(x) * STDDEV(y) the correlation."
    private static let pattern = "Write x LIKE 'a%', with % for any run of characters; LOWER(x) LIKE 'a%' ignores case."
    private static let windows = "There are no window functions: only aggregates by group leave a datasite."
    private static let lists =
        "No list of values leaves a datasite: GROUP BY x, with COUNT(*), gives each value's number."
    private static let format = "Write a part of the date, YEAR(d), or DATE_TRUNC('month', d), or CAST(d AS TEXT)."
    private static let logarithm = "LN(x) is the natural logarithm; LN(x) / LN(10) that to base 10."
    private static let rounding = "Write FLOOR(x), CEIL(x), or ROUND(x, digits)."
    private static let places = "Write SUBSTR(x, 1, 3), x LIKE 'a%', LOWER(x), UPPER(x) or TRIM(x)."
    private static let condition = "Write CASE WHEN x = 1 THEN 'a' ELSE 'b' END, or IF(x = 1, 'a', 'b')."
    private static let bins = "Write BIN(x, 10), the lower edge, or CASE WHEN x < 18 THEN 'child' ELSE 'adult' END."
    private static let ranks = "Ask for MEDIAN(x), QUANTILE(x, 0.9), MIN(x) or MAX(x)."

    private static let groups: [(String, String)] = [
        (
            "PERCENTILE_CONT PERCENTILE_DISC QUANTILE_CONT QUANTILE_DISC APPROX_QUANTILE APPROX_PERCENTILE PERCENTILE",
            quantile
        ),
        ("QUANTILES PCTILE MAD IQR APPROX_MEDIAN", quantile),
        ("STDDEV_SAMP VAR_SAMP STDEV STD SD VAR VARP STDEVP", sample),
        ("MODE", "Write x, COUNT(*) with GROUP BY x ORDER BY COUNT(*) DESC LIMIT 1."),
        ("CORR COVAR_POP COVAR_SAMP COV COR REGR_R2", moments),
        (
            "REG REGR_SLOPE REGR_INTERCEPT LM OLS GLM LINREG LOGIT LOGISTIC POISSON",
            "Write SELECT LINEAR_REGRESSION(y, x, z) FROM t, LOGISTIC_REGRESSION(condition, x) or POISSON_REGRESSION(count, x)."
        ),
        ("SUMMARY", "Write SELECT DESCRIBE(*) FROM t."),
        ("TTEST T_TEST_IND TTEST_IND WELCH", "Write SELECT T_TEST(x) FROM t GROUP BY g, of two groups."),
        ("CHISQ CHI2 CHISQUARE CHISQ_TEST CHI_SQUARED CROSSTAB XTAB", "Write SELECT CHI_SQUARE(a, b) FROM t."),
        (
            "KAPLAN_MEIER KM SURVFIT SURV LOGRANK LOG_RANK",
            "Write SELECT SURVIVAL(time, event, width) FROM t GROUP BY g."
        ),
        ("AOV ANOVA1", "Write SELECT ANOVA(x) FROM t GROUP BY g."),
        (
            "SKEWNESS KURTOSIS ENTROPY GEOMEAN GEOMETRIC_MEAN",
            "Write means of expressions: AVG(x), AVG(LN(x)), AVG(POWER(x, 3))."
        ),
        ("PRODUCT PROD", "Write EXP(SUM(LN(x))) for positive numbers."),
        (
            "APPROX_COUNT_DISTINCT N_DISTINCT NUNIQUE UNIQ",
            "COUNT(DISTINCT unit) counts privacy units; the groups of GROUP BY x count values."
        ),
        (
            "N SIZE NROW ROW_COUNT COUNT_STAR TALLY VALUE_COUNTS TABLE TABULATE",
            "Write COUNT(*), with GROUP BY for each value's number."
        ),
        (
            "COUNT_IF COUNTIF COUNT_BIG",
            "Write COUNT(CASE WHEN condition THEN 1 END), or SUM(CASE WHEN condition THEN 1 ELSE 0 END)."
        ),
        ("SUMIF SUM_IF AVERAGEIF", "Write SUM(CASE WHEN condition THEN x ELSE 0 END)."),
        ("BOOL_AND BOOL_OR EVERY BIT_AND BIT_OR", "Write AVG(condition), the proportion of rows for which it holds."),
        ("TOTAL", "Write SUM(x)."),
        ("AVERAGE", "Write AVG(x)."),
        ("GROUP_CONCAT STRING_AGG LISTAGG ARRAY_AGG LIST JSON_AGG COLLECT_LIST", lists),
        ("FIRST LAST ANY_VALUE ARG_MIN ARG_MAX MIN_BY MAX_BY", "One row's value leaves no datasite. " + ranks),
        ("ROW_NUMBER RANK DENSE_RANK NTILE LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE PERCENT_RANK CUME_DIST", windows),
        ("CUMSUM DIFF SHIFT ROLLING", windows),
        ("DATEDIFF DATE_DIFF TIMESTAMPDIFF AGE DATEADD DATE_ADD DATE_SUB ADDDATE SUBDATE DIFFTIME ADD_MONTHS", days),
        ("TIMEDIFF JULIANDAY TO_DAYS MONTHS_BETWEEN LAST_DAY", days),
        ("TO_CHAR STRFTIME DATE_FORMAT FORMAT DAYNAME MONTHNAME FORMAT_DATE", format),
        ("DATE_PART DATEPART DATENAME", "Write YEAR(d), MONTH(d), DAY(d), or EXTRACT(YEAR FROM d)."),
        (
            "DATE TO_DATE STRPTIME STR_TO_DATE MAKE_DATE AS_DATE TO_DATETIME YMD DATE_PARSE",
            "Write DATE '2020-01-31', or CAST(x AS DATE)."
        ),
        (
            "TIMESTAMP TO_TIMESTAMP DATETIME FROM_UNIXTIME MAKE_TIMESTAMP",
            "Write TIMESTAMP '2020-01-31 23:59:00', or CAST(x AS TIMESTAMP)."
        ),
        ("UNIX_TIMESTAMP EPOCH EPOCH_MS", "Write EXTRACT(EPOCH FROM t), the seconds since 1970."),
        ("LOG LOG10 LOG2 LOG1P", logarithm),
        ("TRUNC TRUNCATE FIX INT TO_INTEGER", rounding),
        ("SIGN SGN", "Write CASE WHEN x > 0 THEN 1 WHEN x < 0 THEN -1 ELSE 0 END."),
        ("CBRT", "Write POWER(x, 1.0 / 3)."),
        (
            "SIN COS TAN ASIN ACOS ATAN ATAN2 PI RADIANS DEGREES SINH COSH TANH",
            "There is no trigonometry; arithmetic is + - * / %, ABS, SQRT, EXP, LN and POWER."
        ),
        ("FACTORIAL GCD LCM GAMMA", "Arithmetic is + - * / %, ABS, SQRT, EXP, LN and POWER."),
        ("WIDTH_BUCKET CUT BUCKET NTILES FINDINTERVAL QCUT TIME_BUCKET", bins),
        ("IFELSE IF_ELSE CASE_WHEN DECODE CHOOSE NVL2 WHERE SWITCH MAP RECODE COND", condition),
        (
            "IS_NULL IS_NA ISNA NOTNA ISNAN IS_NAN ISFINITE MISSING",
            "Write x IS NULL, or x IS NOT NULL; there is no NaN."
        ),
        ("FILLNA REPLACE_NA ZEROIFNULL NULLIFZERO", "Write COALESCE(x, 0), or NULLIF(x, 0)."),
        ("PMIN MINIMUM", "Write LEAST(x, y) for the lesser of two, MIN(x) for that of all rows."),
        ("PMAX MAXIMUM", "Write GREATEST(x, y) for the greater of two, MAX(x) for that of all rows."),
        ("CLIP WINSORIZE TRIM_MEAN TRIMMED_MEAN", "Write CLAMP(x, 0, 100)."),
        (
            "CONVERT PARSE TRY_CONVERT TO_NUMBER TONUMERIC AS_INTEGER AS_NUMERIC STR AS_CHARACTER VAL",
            "Write CAST(x AS INTEGER); types are INTEGER, REAL, TEXT, BOOLEAN, DATE and TIMESTAMP."
        ),
        ("TYPEOF PG_TYPEOF CLASS DTYPE", "`parley data show` has each column's type."),
        ("CONCAT_WS PASTE PASTE0", "Write x || ' ' || y."),
        ("POSITION STRPOS INSTR CHARINDEX LOCATE CONTAINS STARTS_WITH STARTSWITH ENDS_WITH ENDSWITH PREFIX", pattern),
        (
            "REGEXP_MATCHES REGEXP_LIKE REGEXP_REPLACE REGEXP_EXTRACT REGEXP_SUBSTR GREPL GSUB STR_DETECT REGEXM MATCH",
            pattern
        ),
        (
            "REPLACE REVERSE LPAD RPAD REPEAT RIGHT SPLIT_PART INITCAP LTRIM RTRIM TRANSLATE STRIP OVERLAY LEVENSHTEIN",
            places
        ),
        ("STRING_SPLIT STR_SPLIT UNNEST SPLIT ASCII CHR CHAR SOUNDEX", places),
        ("NCHAR OCTET_LENGTH BYTE_LENGTH DATALENGTH STRLEN", "Write LENGTH(x), in characters."),
        ("TOLOWER TO_LOWER", "Write LOWER(x)."),
        ("TOUPPER TO_UPPER", "Write UPPER(x)."),
        ("MD5 SHA1 SHA2 SHA256 HASH", "There are no hashes: a key is the value itself, GROUP BY x."),
        ("JSON_EXTRACT JSON_VALUE", "Columns hold no JSON: the manifest has a column for each value."),
        ("ANY SOME ALL C ISIN", "Write x IN (1, 2, 3)."),
        ("XOR", "Write a <> b of two conditions."),
        ("NOT_NULL", "Write x IS NOT NULL."),
        (
            "GENERATE_SERIES RANGE SEQ",
            "FROM names a dataset; BIN(x, 10) as a key has a group for each bin, empty ones too."
        ),
        ("SUMMARISE SUMMARIZE AGGREGATE GROUPBY GROUP_BY AGG APPLY FILTER SELECT MUTATE", Self.one),
    ]

    /// Words behind what is complete: clauses and operators that there are not.
    static let words: [String: String] = [
        "UNION": "Ask one question for each part, or group by what tells them apart.",
        "EXCEPT": "Exclude rows in WHERE: ... AND NOT (condition).",
        "INTERSECT": "Join conditions in WHERE with AND.",
        "FETCH": "Write LIMIT 5 at the end.",
        "QUALIFY": windows,
        "WINDOW": windows,
        "WITHIN": "Write QUANTILE(x, 0.5), or MEDIAN(x).",
        "PIVOT": "Write a column for each value: COUNT(CASE WHEN x = 'a' THEN 1 END).",
        "UNPIVOT": "Write an aggregate for each column: AVG(a), AVG(b).",
        "TABLESAMPLE": "Leave it out: a sample of the rows costs as much as all of them.",
        "LATERAL": "Write the expression itself in SELECT, WHERE or GROUP BY.",
        "ASOF": "Joins are [INNER] JOIN and LEFT JOIN on equality of a key.",
        "SEMI": "Write JOIN: it keeps the rows that have a match.",
        "ANTI": "A public table: LEFT JOIN it, and WHERE its column IS NULL.",
        "INTO": "An answer is saved by the command: parley ask ... --answer FILE.",
        "FOR": "Leave it out: a question changes nothing.",
        "COLLATE": "Leave it out; LOWER(x) ignores case.",
        "GLOB": pattern, "RLIKE": pattern, "REGEXP": pattern, "ILIKE": pattern, "SIMILAR": pattern, "MATCH": pattern,
        "ISNULL": "Write x IS NULL.",
        "NOTNULL": "Write x IS NOT NULL.",
        "SORT": "Write ORDER BY x.",
        "ARRANGE": "Write ORDER BY x.",
        "DIV": "Write FLOOR(x / y).",
        "MOD": "Write x % y, or MOD(x, y).",
        "XOR": "Write a <> b of two conditions.",
        "AT": "Times are UTC; add hours before you load, or take them into account in HOUR(t).",
        "SELECT": "A question has one SELECT; there are no subqueries.",
        "IF": "Write CASE WHEN x > 0 THEN 1 ELSE 0 END, or IF(x > 0, 1, 0).",
        "IS": "Write x IS NULL.",
        "IGNORE": "Aggregates skip nulls as they are; leave it out.",
        "RESPECT": "Aggregates skip nulls as they are; leave it out.",
        "SEPARATOR": lists,
    ]

    /// Names that are no column.
    static let names: [String: String] = [
        "NA": "Null is written NULL: x IS NULL.", "NAN": "There is no NaN; null is written NULL: x IS NULL.",
        "NONE": "Null is written NULL: x IS NULL.", "NIL": "Null is written NULL: x IS NULL.",
        "ALL": "Name the keys: GROUP BY a, b.", "ROWNUM": "Write LIMIT 5 at the end.",
        "ROWID": "Rows have no numbers here.", "_N": "Write COUNT(*).", "INF": "Numbers are finite: CLAMP(x, 0, 1000).",
        "INFINITY": "Numbers are finite: CLAMP(x, 0, 1000).",
    ]

    static let one = "A question is SQL: SELECT kind, COUNT(*), AVG(x) FROM dataset WHERE y > 0 GROUP BY kind."

    /// What stands in the place of SELECT.
    static let statements: [String: String] = [
        "WITH": step, "SHOW": catalogue, "DESCRIBE": catalogue, "DESC": catalogue, "SUMMARIZE": one,
        "PRAGMA": catalogue,
        "EXPLAIN": "`parley ask ... --dry-run` says what a question would cost, and how precise it would be.",
        "FROM": "SELECT comes first: SELECT COUNT(*) FROM dataset.",
        "INSERT": owner, "UPDATE": owner, "DELETE": owner, "CREATE": owner, "DROP": owner, "ALTER": owner,
        "COPY": owner,
        "TRUNCATE": owner,
        "TAB": one, "TABULATE": one, "MEAN": one, "REGRESS": one, "SUM": one, "DF": one, "LIBRARY": one, "IMPORT": one,
    ]

    private static let catalogue =
        "`parley data list` names the datasets, and `parley data show NAME` the columns of one."
    private static let owner = "A question reads and changes nothing; owners load tables with `parley data add`."
    static let step =
        "Write the step itself: its conditions in WHERE, its expressions inside the aggregates (CASE, LEAST, BIN), and "
        + "its groups in GROUP BY."

    /// Symbols of other languages, longer ones first.
    static let symbols: [(symbol: String, hint: String)] = [
        ("%in%", "Write x IN (1, 2, 3)."), ("%>%", one), ("|>", one), ("%%", "Write x % y."),
        ("%/%", "Write FLOOR(x / y)."),
        ("<=>", "Write x IS NOT DISTINCT FROM y."), ("===", "Write x = y."),
        ("=>", "Write x >= y."), ("=<", "Write x <= y."), ("**", "Write POWER(x, y)."), ("^", "Write POWER(x, y)."),
        ("&&", "Write AND."), ("//", "Write FLOOR(x / y)."), ("!~", pattern), ("~", pattern), ("!", "Write NOT x."),
        ("&", "Write AND."), ("|", "Write OR."), (":=", "Write AS to name a column: SUM(x) AS total."),
        ("$", "Write the value itself: a question has no parameters."),
        ("@", "Write the value itself: a question has no variables."),
        (":", "Write the value itself: a question has no parameters."),
        ("{", "Write a list as IN (1, 2, 3)."),
    ]
}
