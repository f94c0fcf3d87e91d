-- title           = "KMS key was granted to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy          = "Revoke the grant (RevokeGrant) if nobody knows the account or user; look for Decrypt calls by it."
-- false_positives = "Who grants keys to the same account on a third day of a week, as when copies are handed over (low)."
SELECT eventTime,
       requestParameters ->> 'granteePrincipal' AS grantee,
       requestParameters ->> 'operations' AS operations,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN regexp_like(without_own(requestParameters ->> 'granteePrincipal', account), ':iam:::user/') THEN 'KMS key was granted to a user'
            ELSE 'KMS key was granted to another account' END AS title,
       CASE WHEN days >= 3 THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(resources[1].arn, requestParameters ->> 'keyId')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'kms.amazonaws.com'
        AND eventName = 'CreateGrant'
        -- services and programs are granted keys as roles; who grants one to a user keeps it for that user, whatever policies say
        AND regexp_like(without_own(requestParameters ->> 'granteePrincipal', account), '::[0-9]{12}:|^[0-9]{12}$|:iam:::user/')
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, is_person(), is_by_hand_or_script(), errorCode IS NULL, requestParameters ->> 'granteePrincipal'
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
