-- title           = "Event source was mapped to a Lambda function"
-- severity        = "low"
-- tags            = ["attack.persistence", "attack.t1546", "attack.collection"]
-- remedy          = "Check that the function is meant to read this stream, queue or table; delete the mapping if not."
-- false_positives = "Deployments."
SELECT eventTime,
       requestParameters ->> 'eventSourceArn' AS event_source,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'functionArn', requestParameters ->> 'functionName') AS resource,
       CASE WHEN regexp_like(without_own(requestParameters ->> 'eventSourceArn', account), ':[0-9]{12}:') THEN 'medium'
            WHEN is_by_hand()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND (eventName LIKE 'CreateEventSourceMapping%'
       OR eventName LIKE 'UpdateEventSourceMapping%'
          AND json_contains(requestParameters, 'functionName'))
  AND errorCode IS NULL
