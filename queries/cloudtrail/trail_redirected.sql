-- title           = "CloudTrail trail was sent to another bucket, another account's key, or lost its insights"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "attack.t1562"]
-- remedy          = "Compare the trail's bucket and key with the ones you know; put them back, and look for a gap in the log files. Of a policy, see whom it lets in or keeps out."
-- false_positives = "Moves of the log archive that were announced."
SELECT eventTime,
       eventName,
       requestParameters ->> 's3BucketName' AS bucket,
       requestParameters ->> 'kmsKeyId' AS key_id,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'trailName', requestParameters ->> 'resourceArn', account) AS resource,
       CASE WHEN eventName = 'DeregisterOrganizationDelegatedAdmin' THEN 'Account lost the administration of CloudTrail for the organization'
            WHEN eventName = 'PutResourcePolicy' THEN 'Policy of an event data store, channel or dashboard of CloudTrail was written'
            WHEN eventName = 'DeleteResourcePolicy' THEN 'Policy of an event data store, channel or dashboard of CloudTrail was deleted'
            WHEN eventName = 'PutInsightSelectors' THEN 'CloudTrail trail lost its insights'
            ELSE 'CloudTrail trail was sent to another bucket or another account''s key' END AS title
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName IN ('UpdateTrail', 'PutInsightSelectors', 'DeregisterOrganizationDelegatedAdmin', 'PutResourcePolicy', 'DeleteResourcePolicy')
  AND (eventName IN ('DeregisterOrganizationDelegatedAdmin', 'PutResourcePolicy', 'DeleteResourcePolicy')
       OR json_length(requestParameters, 'insightSelectors') = 0
       -- the console names the bucket at each change of the settings
       OR json_contains(requestParameters, 's3BucketName') AND sessionCredentialFromConsole IS NOT TRUE
       OR regexp_like(without_own(requestParameters ->> 'kmsKeyId', account), ':[0-9]{12}:'))
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
