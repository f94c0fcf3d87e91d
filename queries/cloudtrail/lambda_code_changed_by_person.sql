-- title           = "Person replaced the code of a Lambda function"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1648", "attack.execution", "attack.t1554"]
-- remedy          = "Compare codeSha256 with your last build; deploy that build again if they differ, and rotate what the function's role could reach."
-- false_positives = "Development accounts (low where the same role or user deploys this function, and of IAM Identity Center no other, by hand on a third day of a week); Terraform on a laptop, a stack that a person deploys, or the editor of the console after a sign-in through IAM Identity Center (low)."
-- description     = "A user agent is what the caller writes: as Terraform counts who read functions in its name in the half hour before, as it does."
SELECT eventTime,
       responseElements ->> 'codeSha256' AS code_sha256,
       responseElements ->> 'role' AS function_role,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low' -- the code of a stack, as its template says
            -- in the console who signed in so works on a function, and deploys it again and again
            WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' AND sessionCredentialFromConsole THEN 'low'
            WHEN days >= 3 AND functions = 1 OR last_read >= eventTime - INTERVAL '30 minutes' AND is_infrastructure_tool() THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             max(eventTime) FILTER (WHERE eventName NOT LIKE 'UpdateFunctionCode%') OVER before AS last_read,
             count(DISTINCT date_trunc('day', eventTime)) FILTER (WHERE eventName LIKE 'UpdateFunctionCode%') OVER before AS days,
             count(DISTINCT regexp_replace(requestParameters ->> 'functionName', '^.*function:', '')) FILTER (WHERE eventName LIKE 'UpdateFunctionCode%') OVER before AS functions,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN eventName LIKE 'UpdateFunctionCode%' THEN coalesce(responseElements ->> 'functionArn', requestParameters ->> 'functionName') END)) OVER before AS latest
      FROM cloudtrail
      WHERE eventSource = 'lambda.amazonaws.com'
        AND (eventName LIKE 'UpdateFunctionCode%'
             OR eventName LIKE 'GetFunction%'
                AND is_infrastructure_tool())
        AND errorCode IS NULL
        AND is_by_hand()
      WINDOW before AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), userIdentity.invokedBy, sessionCredentialFromConsole,
                                      is_infrastructure_tool(),
                                      -- developers deploy many by hand: one finding a day names them
                                      CASE WHEN userIdentity.invokedBy IS NULL AND NOT is_infrastructure_tool() AND coalesce(userIdentity.sessionContext.sessionIssuer.arn, '') NOT LIKE '%AWSReservedSSO%' THEN regexp_replace(requestParameters ->> 'functionName', '^.*function:', '') END ORDER BY eventTime
                        RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE eventName LIKE 'UpdateFunctionCode%'
