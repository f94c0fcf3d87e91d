-- title           = "Security findings were suppressed or archived"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy          = "Read the suppressed findings and the note that came with them; put back those without a reason."
-- false_positives = "Analysts closing findings (low in the console)."
SELECT eventTime,
       eventSource,
       eventName,
       requestParameters -> 'Note' ->> 'Text' AS note,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'ruleName', requestParameters ->> 'detectorId', split_part(eventSource, '.', 1)) AS resource,
       CASE WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            WHEN is_by_hand()
                 AND sessionCredentialFromConsole IS NOT TRUE THEN 'medium'
            -- what hides findings to come
            WHEN eventName IN ('CreateArchiveRule', 'UpdateArchiveRule', 'CreateFilter', 'CreateFindingsFilter', 'UpdateFindingsFilter')
                 AND sessionCredentialFromConsole IS NOT TRUE
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('securityhub.amazonaws.com', 'guardduty.amazonaws.com', 'access-analyzer.amazonaws.com', 'inspector2.amazonaws.com', 'macie2.amazonaws.com')
  AND eventName IN ('BatchUpdateFindings', 'ArchiveFindings', 'CreateArchiveRule', 'UpdateArchiveRule', 'CreateFilter', 'CreateFindingsFilter', 'UpdateFindingsFilter', 'ApplyArchiveRule', 'UpdateFindings', 'BatchUpdateFindingsV2')
  -- a filter of GuardDuty is told by another rule
  AND (eventName != 'CreateFilter' OR eventSource = 'inspector2.amazonaws.com' AND requestParameters ->> 'action' = 'SUPPRESS')
  AND (eventName NOT IN ('CreateFindingsFilter', 'UpdateFindingsFilter') OR requestParameters ->> 'action' = 'ARCHIVE')
  AND (eventName != 'UpdateFindings' OR eventSource = 'access-analyzer.amazonaws.com' AND requestParameters ->> 'status' = 'ARCHIVED'
       OR coalesce(requestParameters ->> 'RecordState', requestParameters ->> 'recordState') = 'ARCHIVED')
  -- suppressed, in OCSF
  AND (eventName != 'BatchUpdateFindingsV2' OR coalesce(requestParameters ->> 'StatusId', requestParameters ->> 'statusId') = '3')
  AND errorCode IS NULL
  AND (eventName != 'BatchUpdateFindings' OR coalesce(requestParameters -> 'Workflow' ->> 'Status', requestParameters -> 'workflow' ->> 'status') = 'SUPPRESSED')
