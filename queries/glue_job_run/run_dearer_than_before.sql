-- title           = "Glue job used more DPU-seconds a run than two weeks before"
-- severity        = "low"
-- dedupe          = "30d"
-- tags            = ["attack.impact", "attack.t1496.001"]
-- remedy          = "See whether seconds rose, or capacity alone. Compare script, arguments, Glue version, workers, execution class and the amount of data with those of the runs before; queries/SQL.md has a query that says how much, and how sure that is. If nobody changed anything, read the script: somebody else may compute in the job."
-- false_positives = "More data, or more capacity that was meant. A job that moved to FLEX: its DPU-seconds cost a third less each."
-- description     = "Compares the successful runs of a week with those of the week but one before, so that a change within a week is seen whole, and weekdays stand against weekdays. It is told where three quarters of the runs now are a tenth above three quarters of those before: single long runs change nothing. Five runs a week, as of a job of workdays, must all be. From 50 runs a week on, it is also told where the median rose by three tenths to above three quarters of the runs before, and three quarters of the runs now are above the median before: so many runs differ much from each other, and their medians little by chance. Of a job with fewer than five runs a week nothing can be said so. DPU-seconds are those that AWS gives (FLEX, auto scaling), else seconds times DPUs, so that a job with other workers is compared by what it costs."
SELECT jobName AS resource,
       -- weeks are counted from 1970, as those of the window are: the first of its three is that of its earliest row
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            WHEN 1 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)
            ELSE approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) END AS dpu_seconds_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
            WHEN 1 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            ELSE approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END AS dpu_seconds_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN approx_percentile(executionTime, 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            WHEN 1 THEN approx_percentile(executionTime, 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)
            ELSE approx_percentile(executionTime, 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) END AS seconds_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN approx_percentile(executionTime, 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
            WHEN 1 THEN approx_percentile(executionTime, 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            ELSE approx_percentile(executionTime, 0.5) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END AS seconds_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            WHEN 1 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)
            ELSE count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) END AS runs_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
            WHEN 1 THEN count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            ELSE count(*) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END AS runs_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.75) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            WHEN 1 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.75) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1)
            ELSE approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.75) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2) END AS three_quarters_below_before,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.25) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
            WHEN 1 THEN approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.25) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            ELSE approx_percentile(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1)), 0.25) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END AS three_quarters_above_now,
       CASE floor(to_unixtime(min(lastModifiedOn)) / 604800) % 3
            WHEN 0 THEN min(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 2)
            WHEN 1 THEN min(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 0)
            ELSE min(coalesce(dpuSeconds, executionTime * coalesce(maxCapacity, 1))) FILTER (WHERE floor(to_unixtime(lastModifiedOn) / 604800) % 3 = 1) END AS least_now,
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
   AND (three_quarters_above_now > 1.1 * three_quarters_below_before
        AND (least(runs_before, runs_now) > 5 OR least_now > 1.1 * three_quarters_below_before)
     OR least(runs_before, runs_now) >= 50
        AND dpu_seconds_now > 1.3 * dpu_seconds_before
        AND dpu_seconds_now > three_quarters_below_before
        AND three_quarters_above_now > dpu_seconds_before)
