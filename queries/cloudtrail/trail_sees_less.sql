-- title           = "CloudTrail event selectors were set to leave out writes, reads or whole services"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Put the selectors back (PutEventSelectors), and treat what was not logged since as unknown."
-- false_positives = "Trails for data events alone; KMS and RDS Data API left out to save money (low by Terraform and the like, and in the console)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'eventSelectors' AS selectors,
       requestParameters ->> 'advancedEventSelectors' AS advanced_selectors,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'trailName' AS resource,
       -- two services that the console offers to leave out, for what they cost
       CASE WHEN (sessionCredentialFromConsole IS TRUE OR is_infrastructure_tool())
             AND NOT regexp_like(regexp_replace(coalesce(requestParameters -> 'eventSelectors' -> 0 ->> 'excludeManagementEventSources', ''), '(kms|rdsdata)[.]amazonaws', '', 'g'), 'amazonaws')
             AND NOT regexp_like(regexp_replace(coalesce(requestParameters ->> 'advancedEventSelectors', ''),
                                                '"field"\s*:\s*"eventSource"\s*,\s*"notEquals"\s*:\s*\[\s*"(kms|rdsdata)[.]amazonaws[.]com"(\s*,\s*"(kms|rdsdata)[.]amazonaws[.]com")?\s*\]', '', 'g'),
                                 '"field"\s*:\s*"(readOnly|eventSource|eventName|userIdentity\.arn|sessionCredentialFromConsole)"') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName = 'PutEventSelectors'
  AND (json_length(requestParameters, 'eventSelectors', 0, 'excludeManagementEventSources') > 0
       OR regexp_like(requestParameters ->> 'advancedEventSelectors', '"field"\s*:\s*"(readOnly|eventSource|eventName|userIdentity\.arn|sessionCredentialFromConsole)"')
          AND requestParameters ->> 'advancedEventSelectors' LIKE '%"Management"%')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
