-- title    = "Schedule of snapshots, or what keeps deleted ones, was removed or switched off"
-- severity = "medium"
-- key      = ["account", "userIdentity.arn", "eventSource"]
-- tags     = ["attack.impact", "attack.t1490"]
-- remedy   = "Put the rule or policy back, and look for snapshots and images deleted since."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'identifier', requestParameters ->> 'policyId', requestParameters ->> 'backupPlanId') AS resource,
       CASE WHEN eventSource = 'dlm.amazonaws.com' AND (is_infrastructure_tool() OR NOT is_by_hand()) THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventSource = 'rbin.amazonaws.com' THEN 'Rule that keeps deleted snapshots and images was removed or cut back'
            WHEN eventSource = 'backup.amazonaws.com' THEN 'Backup plan was set to keep what it makes for a day'
            ELSE 'Schedule of snapshots was removed or switched off' END AS title
FROM cloudtrail
WHERE eventSource IN ('rbin.amazonaws.com', 'dlm.amazonaws.com', 'backup.amazonaws.com')
  AND eventName IN ('DeleteRule', 'UnlockRule', 'UpdateRule', 'DeleteLifecyclePolicy', 'UpdateLifecyclePolicy', 'UpdateBackupPlan')
  AND (eventName <> 'UpdateBackupPlan'
       OR regexp_like(requestParameters, '"deleteAfterDays"\s*:\s*1\b')
          AND is_by_hand()
          AND NOT is_infrastructure_tool())
  AND (eventName NOT IN ('UpdateRule', 'UpdateLifecyclePolicy')
       OR coalesce(requestParameters ->> 'State', requestParameters ->> 'state') = 'DISABLED'
       OR coalesce(json_get_int(requestParameters, 'retentionPeriod', 'retentionPeriodValue'), json_get_int(requestParameters, 'RetentionPeriod', 'RetentionPeriodValue')) <= 1)
  AND errorCode IS NULL
