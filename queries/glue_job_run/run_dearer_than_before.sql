-- title           = "Glue job used more DPU-seconds a run than two weeks before"
-- severity        = "low"
-- dedupe          = "30d"
-- tags            = ["attack.impact", "attack.t1496.001"]
-- remedy          = "See whether seconds rose, or capacity alone. Compare script, arguments, Glue version, workers, execution class and the amount of data with those of the runs before; queries/SQL.md has a query that says how much, and how sure that is. If nobody changed anything, read the script: somebody else may compute in the job."
-- false_positives = "More data, or more capacity that was meant. A job that moved to FLEX: its DPU-seconds cost a third less each."
-- description     = "Compares the successful runs of a week with those of the week but one before, so that a change within a week is seen whole, and weekdays stand against weekdays. It is told where they took more than a tenth more, as their means of logarithms say (percent), and surely more: percent_at_least is above none. That is the difference of the two means less 2.5 + 6/df of its standard errors, a quantile of Student's t that chance passes in 6 of 1,000. How much runs differ is taken from all three weeks, of workdays and of the weekend (UTC) apart, so that a job that has more to do on Sundays is judged by what differs otherwise. On made histories, lognormal, bimodal and with long tails, up to 11 of 1,000 weeks of a job that is as ever are told falsely, whatever its runs differ by; where long and short runs come in stretches, as of data that wanders, about a tenth of the weeks are told, for they do differ. Of a job with fewer than five runs a week nothing can be said so. DPU-seconds are those that AWS gives (FLEX, auto scaling), else seconds times DPUs, so that a job with other workers is compared by what it costs; before and now are geometric means."
SELECT jobName AS resource,
       -- weeks are counted from 1970, as those of the window are: the first of its three is that of its earliest row
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN round(exp(avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) / 1e5), 1)
            WHEN 1 THEN round(exp(avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) / 1e5), 1)
            ELSE round(exp(avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) / 1e5), 1) END AS dpu_seconds_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN round(exp(avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) / 1e5), 1)
            WHEN 1 THEN round(exp(avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) / 1e5), 1)
            ELSE round(exp(avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) / 1e5), 1) END AS dpu_seconds_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN round(exp(avg(CAST(round(100000 * ln(executionTime)) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) / 1e5), 1)
            WHEN 1 THEN round(exp(avg(CAST(round(100000 * ln(executionTime)) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) / 1e5), 1)
            ELSE round(exp(avg(CAST(round(100000 * ln(executionTime)) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) / 1e5), 1) END AS seconds_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN round(exp(avg(CAST(round(100000 * ln(executionTime)) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) / 1e5), 1)
            WHEN 1 THEN round(exp(avg(CAST(round(100000 * ln(executionTime)) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) / 1e5), 1)
            ELSE round(exp(avg(CAST(round(100000 * ln(executionTime)) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) / 1e5), 1) END AS seconds_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            WHEN 1 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)
            ELSE count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) END AS runs_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
            WHEN 1 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            ELSE count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END AS runs_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN round(100 * (exp((avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) - avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)) / 1e5) - 1), 1)
            WHEN 1 THEN round(100 * (exp((avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) - avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)) / 1e5) - 1), 1)
            ELSE round(100 * (exp((avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) - avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)) / 1e5) - 1), 1) END AS percent,
       -- the difference of the means of logarithms, less a quantile of Student's t times its standard error; deviations are those
       -- from the mean of the same week's workdays, or of its weekend
       round(100 * (exp(((CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
                 WHEN 0 THEN avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) - avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
                 WHEN 1 THEN avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) - avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)
                 ELSE avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) - avg(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) END)
              - (2.5 + 6e0 / greatest(1, count(*) - CASE WHEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)) IN (0, count(*)) THEN 3 ELSE 6 END))
                * sqrt(CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
                 WHEN 0 THEN 1e0 / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0) + 1e0 / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
                 WHEN 1 THEN 1e0 / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) + 1e0 / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
                 ELSE 1e0 / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) + 1e0 / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END)
                * sqrt(greatest(0, sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT) * CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT))
                       - coalesce(power(sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)), 2) / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)), 0)
                       - coalesce(power(sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 NOT IN (2, 3)), 2) / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 NOT IN (2, 3)), 0)
                       - coalesce(power(sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)), 2) / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)), 0)
                       - coalesce(power(sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 NOT IN (2, 3)), 2) / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 NOT IN (2, 3)), 0)
                       - coalesce(power(sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)), 2) / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)), 0)
                       - coalesce(power(sum(CAST(round(100000 * ln(greatest(1, coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))))) AS BIGINT)) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 NOT IN (2, 3)), 2) / count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2 AND floor(to_unixtime(lastModifiedOn) / 86400) % 7 NOT IN (2, 3)), 0))
                       / greatest(1, count(*) - CASE WHEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 86400) % 7 IN (2, 3)) IN (0, count(*)) THEN 3 ELSE 6 END))) / 1e5) - 1), 1) AS percent_at_least,
       sample(workerType) AS worker_types,
       sample(numberOfWorkers) AS workers,
       sample(glueVersion) AS glue_versions,
       sample(executionClass) AS execution_classes
FROM glue_job_run
WHERE jobRunState = 'SUCCEEDED'
  AND executionTime > 0
GROUP BY account, region, jobName, hop(lastModifiedOn, INTERVAL '7 days', INTERVAL '21 days')
HAVING runs_before >= 5
   AND runs_now >= 5
   AND count(DISTINCT id) >= 10 -- a run that two sources tell of is one
   AND percent > 10
   AND percent_at_least > 0
